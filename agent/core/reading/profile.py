"""What one scanner's scans must look like, and what is taken off them: the same rules for every way of arriving.

The law: a payload is never shortened but by what the profile names; what does not fit it is a scan with a fault.
"""

from typing import Annotated

import msgspec

from agent.core.reading.piece import Piece
from agent.core.reading.symbologies import Symbology, kinds_of
from agent.core.scan import Charset, ScanFault

GS = b"\x1d"
_MARK = Annotated[str, msgspec.Meta(max_length=32)]


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings every scanner has; each kind of scanner adds its own.

    id: as records name it; step: the medical step it serves, else the terminal's.
    prefix, suffix: what the scanner is set to send around each code (the framing's terminator is no suffix); taken off,
    and a scan without them is damaged. aim_id: the scanner sends the AIM id behind the prefix. gs: what it sends for
    the GS1 separator where it cannot send the character itself. symbologies: the kinds taken, where the scanner tells
    the kind; empty: all. charset: of codes that are not UTF-8. same_code_interval_ms: the same code again within this
    time of its last sight is no new scan. scans_per_s_max: what is more, beyond a short burst, is a flood.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,32}$")]
    step: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,31}$")] | None = None
    prefix: _MARK = ""
    suffix: _MARK = ""
    aim_id: bool = False
    gs: _MARK = ""
    symbologies: tuple[Symbology, ...] = ()
    charset: Charset = "gb18030"
    same_code_interval_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 1_000
    scans_per_s_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20


def fit(piece: Piece, profile: Profile) -> Piece | None:
    """Return what a scan is once the profile's marks are off it; None where nothing but them was sent.

    A faulty one keeps what had arrived. An AIM id that stands in the data without `aim_id` is data as all else.
    """
    if piece.fault is not None:
        return piece
    if not (profile.prefix or profile.suffix or profile.aim_id or profile.gs or profile.symbologies):
        return piece if piece.data else None
    data, aim = piece.data, piece.aim
    prefix, suffix = profile.prefix.encode(), profile.suffix.encode()
    if not data.startswith(prefix) or not data.endswith(suffix) or len(data) < len(prefix) + len(suffix):
        return piece._replace(fault=ScanFault.DAMAGED)
    data = data[len(prefix) : len(data) - len(suffix)]
    if profile.aim_id:
        sent = data[:3].decode("ascii") if is_aim_id(data[:3]) else None
        # Another kind told by the device is as wrong as none. Its modifier may be a table's, the sent one is real.
        if sent is None or (aim is not None and aim[:2] != sent[:2]):
            return piece._replace(fault=ScanFault.DAMAGED)
        aim, data = sent, data[3:]
    if profile.symbologies and aim is not None and kinds_of(aim).isdisjoint(profile.symbologies):
        return piece._replace(fault=ScanFault.SYMBOLOGY, aim=aim)
    if profile.gs:
        data = data.replace(profile.gs.encode(), GS)
    return Piece(data, None, aim, piece.eci) if data else None


def is_aim_id(data: bytes) -> bool:
    """Say whether three bytes have the form of an AIM symbology id (ISO/IEC 15424, 4)."""
    return len(data) == 3 and data[:1] == b"]" and data[1:2].isalpha() and data[2:3].isalnum() and data.isascii()
