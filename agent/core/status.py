"""What the terminal says of itself, signed (command.cddl, status): state, software, and what GET /v1/status says.

The law: nothing of a person, and never more than the wire carries; what is left out is named.
"""

import json
from collections.abc import Mapping
from enum import IntEnum

from agent.core.transaction import Signer, encode, sign1

STATUS_AAD = b"scanward-status-1"
TEXT_BYTES_MAX = 8_192
LEFT_OUT_MAX = 16  # names of parts that had no room
_NAME_CHARS_MAX = 32


class State(IntEnum):
    """command.cddl: online, offline (stopped in order), lost (the connection broke: the last will)."""

    ONLINE = 0
    OFFLINE = 1
    LOST = 2


def encode_status(
    signer: Signer,
    terminal: str,
    site: str,
    state: State,
    at_ms: int,
    software: str,
    said: Mapping[str, object],
    connected_at_ms: int | None = None,
) -> bytes:
    """Return a signed status. at_ms: since 1970; said: of JSON's kinds, cut to what the wire carries.

    connected_at_ms: when the connection it goes over was made, as its last will says; None where there is no will.
    """
    fields: dict[int, object] = {1: terminal, 2: site, 3: int(state), 4: max(0, at_ms), 5: software}
    fields[6] = as_text(said, TEXT_BYTES_MAX)
    if connected_at_ms is not None:
        fields[7] = max(0, connected_at_ms)
    return sign1(signer, STATUS_AAD, encode(fields))


def as_text(said: Mapping[str, object], bytes_max: int) -> str:
    """Return JSON of at most bytes_max bytes: the largest parts are left out, and named under "left_out".

    Of the scanners first all but which of them are there.
    """
    kept, left_out = dict(said), list[str]()
    text = _json(kept)
    scanners = kept.get("scanners")
    if len(text.encode()) > bytes_max and isinstance(scanners, list) and any(isinstance(one, dict) for one in scanners):
        kept["scanners"] = [_brief(one) for one in scanners]
        left_out.append("scanners' counts and reasons")
        text = _json({**kept, "left_out": left_out})
    while kept and len(text.encode()) > bytes_max:
        largest = max(kept, key=lambda name: len(_json(kept[name]).encode()))
        del kept[largest]
        left_out.append(largest[:_NAME_CHARS_MAX])
        text = _json({**kept, "left_out": left_out[:LEFT_OUT_MAX]})
    return text


def _brief(scanner: object) -> object:
    if not isinstance(scanner, dict):
        return scanner
    return {name: scanner[name] for name in ("id", "step", "presence") if name in scanner}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
