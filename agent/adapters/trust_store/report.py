"""The one line of JSON with which the refresher answers the agent.

{"ok": true, "bundle", "manifest_sha256", "timestamp_version", "root_version", "expires_at_ms"} or
{"ok": false, "reason", "detail"}.
"""

from typing import Annotated

import msgspec

from agent.ports import TrustTrouble, VerifiedBundle

REPORT_BYTES_MAX = 16_384
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Ok(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ok: bool
    bundle: Annotated[str, msgspec.Meta(max_length=32)]
    manifest_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    timestamp_version: _Count
    root_version: _Count
    expires_at_ms: int


class _Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ok: bool
    reason: Annotated[str, msgspec.Meta(pattern="^[a-z-]{1,32}$")]
    detail: Annotated[str, msgspec.Meta(max_length=1_000)]


class _Any(msgspec.Struct, frozen=True):
    ok: bool


def encode_report(result: VerifiedBundle | TrustTrouble) -> bytes:
    """Return the line, without its end."""
    match result:
        case VerifiedBundle():
            return msgspec.json.encode(
                _Ok(
                    True,
                    result.name,
                    result.manifest_sha256,
                    result.timestamp_version,
                    result.root_version,
                    result.expires_at_ms,
                )
            )
        case TrustTrouble():
            return msgspec.json.encode(_Refused(False, result.reason, result.detail))


def decode_report(line: bytes) -> VerifiedBundle | TrustTrouble:
    """Read the line. Raises ValueError where it is not one."""
    try:
        if msgspec.json.decode(line, type=_Any).ok:
            ok = msgspec.json.decode(line, type=_Ok)
            return VerifiedBundle(
                ok.bundle, ok.manifest_sha256, ok.timestamp_version, ok.root_version, ok.expires_at_ms
            )
        refused = msgspec.json.decode(line, type=_Refused)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return TrustTrouble(refused.reason, refused.detail)
