"""The explanations of this profile. Each names its cases and says why; docs/conformance.md shows those a run met."""

from conformance.explained import Explanation

EXPLANATIONS: tuple[Explanation, ...] = ()
