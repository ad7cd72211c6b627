"""What a code family is: a name, how it is recognised, how it is verified. One file each; recognition.py lists them."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Trace, Verdict

Recognise = Callable[[str, Scan], Code | None]
"""(text, its scan) -> the code, or None where it is not of this family. Never raises; looks at the shape alone."""

Verify = Callable[[Code, Trust | None, Interval, Trace | None], Verdict]
"""Checks one code. Raises Refused, nothing else, whatever the code holds."""


class Refused(Exception):
    """A step of verification refuses: `agent.core.verification` makes it a verdict. Never leaves the core.

    reason: as in Verdict. claims: what the record may still use. detail: for people who explain; never personal data.
    """

    def __init__(self, reason: str, claims: Claims | None = None, *, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.claims = claims or Claims()
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a code says, for people who explain. is_personal: shown masked unless they ask for clear text."""

    name: str
    value: str
    is_personal: bool = False


Describe = Callable[[Claims], tuple[Fact, ...]]
"""What a family's claims say beyond the common ones, at most FACTS_MAX facts of VALUE_CHARACTERS_MAX. Never raises."""

FACTS_MAX = 32
VALUE_CHARACTERS_MAX = 200


def _nothing(claims: Claims) -> tuple[Fact, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Family:
    """One family. name: as in a verdict, a policy ("name.static") and a record (record.cddl, family).

    is_bearer: whoever has the text can use it (a payment code): never shown, not even to people who ask for clear text.
    """

    name: str
    recognise: Recognise
    verify: Verify
    describe: Describe = _nothing
    is_bearer: bool = False
