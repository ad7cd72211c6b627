"""What verification says of a code: a value with a stable reason. Bad codes are values, not exceptions.

Frozen msgspec structs rather than dataclasses: three are made for every scan, and these take a fifth of the time
(docs/decisions/0031). What is personal never shows in a repr.
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum

import msgspec

Trace = Callable[[str, str], None]
"""Told (stage, what it saw) as verification goes; `scanward explain` listens. Never sees personal data in clear."""


class CodeType(IntEnum):
    """The national numbering (record.cddl, code-type)."""

    DYNAMIC = 0
    STATIC = 1


class Outcome(StrEnum):
    """VERIFIED: proven; Verdict.proof says how. UNVERIFIABLE: this format has no proof. REFUSED: with a reason."""

    VERIFIED = "verified"
    UNVERIFIABLE = "unverifiable"
    REFUSED = "refused"


class Code(msgspec.Struct, frozen=True, gc=False):
    """A scan recognised as one family, still untrusted. `text` is the code as that family reads it."""

    family: str
    text: str
    type: CodeType | None = None  # where the text alone says so

    def __repr__(self) -> str:
        return f"Code(family={self.family!r}, type={self.type!r})"


class Claims(msgspec.Struct, frozen=True, gc=False):
    """What a code says about itself. Instants are in seconds since 1970.

    card: 32 raw bytes. token: the opaque one-time token of a national dynamic code. replay_id: 16 bytes, for codes that
    work once. text: sealed in the record: the code itself, for families whose text the platform needs, or what names a
    credential (its certificate id). masked_name: the holder's, as the platform masked it: shown, never stored or
    logged. item: what is no secret and names a product or a package, e.g. a drug trace code, in printable ASCII.
    is_single: there is one such item in the world, so a step takes it once. content: all that a signed credential says,
    as decoded, for the family's `describe` alone.
    """

    type: CodeType | None = None
    issuer: str | None = None
    key_id: bytes | None = None
    issued_at_s: int | None = None
    expires_at_s: int | None = None
    replay_id: bytes | None = None
    card: bytes | None = None
    token: bytes | None = None
    text: bytes | None = None
    masked_name: str | None = None
    item: str | None = None
    is_single: bool = False
    content: object = None

    def __repr__(self) -> str:
        shown = ("type", "issuer", "key_id", "issued_at_s", "expires_at_s", "replay_id", "item")
        return f"Claims({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The result of verification.

    reason: "ok" when verified; else stage-prefixed: scan. decode. key. signature. time. revoked. family.
    claims: present when verified or unverifiable; when refused, only what policy and the record may still use.
    unchecked: what this verdict does not vouch for, e.g. ("time",) when the clock is too uncertain, ("revocation",).
    needs_online: the family has a platform call that would settle it.
    attempt_id: 16 bytes, where the platform was asked (agent/core/online.py).
    """

    family: str
    outcome: Outcome
    reason: str
    claims: Claims = Claims()
    unchecked: tuple[str, ...] = ()
    needs_online: bool = False
    attempt_id: bytes | None = None

    @property
    def proof(self) -> str | None:
        """Say what proves a verified code: "signature", checked here, or "online", the platform's word; else None."""
        if self.outcome is not Outcome.VERIFIED:
            return None
        return "signature" if self.attempt_id is None else "online"
