"""What families without any proof share: there is nothing to check here, so the whole text goes on, sealed.

The law: never "verified" offline, and the text is only ever sealed; a replay id is not made of it, for a hash of so few
digits gives them away.
"""

from agent.core.verdict import Claims, Outcome, Trace, Verdict

REASON = "family.no-offline-proof"


def unverifiable(
    name: str, text: str, trace: Trace | None, *, saw: str, needs_online: bool, content: object = None
) -> Verdict:
    """Return the verdict on a text that nothing proves. saw: what its shape says, never its content."""
    if trace:
        trace("decode", saw)
        trace("signature", "none: this family has no offline proof")
    claims = Claims(text=text.encode("utf-8", "surrogatepass"), content=content)
    return Verdict(name, Outcome.UNVERIFIABLE, REASON, claims, needs_online=needs_online)
