"""What verification says of a code: a value with a stable reason. Bad codes are values, not exceptions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

Trace = Callable[[str, str], None]
"""Told (stage, what it saw) as verification goes; `scanward explain` listens. Never sees personal data in clear."""


class CodeType(IntEnum):
    """The national numbering (record.cddl, code-type)."""

    DYNAMIC = 0
    STATIC = 1


class Outcome(StrEnum):
    """VERIFIED: proven offline. UNVERIFIABLE: the format has no offline proof. REFUSED: with a reason."""

    VERIFIED = "verified"
    UNVERIFIABLE = "unverifiable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Code:
    """A scan recognised as one family, still untrusted. `text` is the code as that family reads it."""

    family: str
    text: str = field(repr=False)
    type: CodeType | None = None  # where the text alone says so


@dataclass(frozen=True, slots=True)
class Claims:
    """What a code says about itself. Instants are in seconds since 1970.

    card: 32 raw bytes. token: the opaque one-time token of a national dynamic code. replay_id: 16 bytes, for codes that
    work once. text: the code itself, only for families whose text the platform needs.
    """

    type: CodeType | None = None
    issuer: str | None = None
    key_id: bytes | None = None
    issued_at_s: int | None = None
    expires_at_s: int | None = None
    replay_id: bytes | None = None
    card: bytes | None = field(default=None, repr=False)
    token: bytes | None = field(default=None, repr=False)
    text: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verification.

    reason: "ok" when verified; else stage-prefixed: scan. decode. key. signature. time. revoked. family.
    claims: present when verified or unverifiable; when refused, only what policy and the record may still use.
    unchecked: what this verdict does not vouch for, e.g. ("time",) when the clock is too uncertain, ("revocation",).
    needs_online: the family has a platform call that would settle it.
    """

    family: str
    outcome: Outcome
    reason: str
    claims: Claims = Claims()
    unchecked: tuple[str, ...] = ()
    needs_online: bool = False
