"""What families without any proof share: the reason, the words for it, and what the record keeps of the text.

The law: never "verified" offline, and the text is only ever sealed; a replay id is not made of it, for a hash of so few
digits gives them away.
"""

from agent.core.codes.family import Refused
from agent.core.verdict import Claims, Outcome, Trace, Verdict

REASON = "family.no-offline-proof"
SEALED_BYTES_MAX = 1_024  # record.cddl, sealed-fields 3


def unverifiable(
    name: str, text: str, trace: Trace | None, *, saw: str, needs_online: bool, content: object = None
) -> Verdict:
    """Return the verdict on a text that nothing proves, all of it sealed. saw: what its shape says, never its content.

    For families that have nothing else to say.
    """
    trace_unsigned(trace, saw)
    claims = Claims(text=text.encode("utf-8", "surrogatepass"), content=content)
    return Verdict(name, Outcome.UNVERIFIABLE, REASON, claims, needs_online=needs_online)


def trace_unsigned(trace: Trace | None, saw: str) -> None:
    """Tell what was read, and that nothing proves it."""
    if trace:
        trace("decode", saw)
        trace("signature", "none: this family has no offline proof")


def with_text(refused: Refused, text: str) -> Refused:
    """Return a refusal whose record keeps what was on the package, sealed, as far as there is room."""
    kept = text.encode("utf-8", "replace")[:SEALED_BYTES_MAX]
    return Refused(refused.reason, Claims(text=kept or None), detail=refused.detail)
