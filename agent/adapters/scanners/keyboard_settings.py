"""What is configured of a scanner that types, apart from what reads it: a terminal without one loads no more."""

from typing import Annotated

import msgspec

from agent.core.reading.alt_codes import AltCodes
from agent.core.reading.keys import KEYS_TIMEOUT_MS, CapsLock, KeyTerminator
from agent.core.reading.layouts import LayoutName
from agent.core.reading.profile import Profile
from agent.core.scan import SCAN_BYTES_MAX


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="keyboard"):
    """A scanner that types.

    path: a stable one, from /dev/input/by-id, or usb:VVVV:PPPP[:SERIAL]; layout: the country the scanner is set to.
    terminator: the key that ends a scan; none: a pause of timeout_ms does, which otherwise proves a scan incomplete.
    """

    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    layout: LayoutName = "us"
    terminator: KeyTerminator = "enter"
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = KEYS_TIMEOUT_MS
    caps_lock: CapsLock = "as-told"
    alt_codes: AltCodes = "western"
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX
