"""What is configured of a scanner in HID POS mode, apart from what reads it: a terminal without one loads no more."""

from typing import Annotated, Literal

import msgspec

from agent.core.reading.profile import Profile
from agent.core.scan import SCAN_BYTES_MAX


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="hid"):
    """A scanner in HID POS mode.

    path: a stable link, or usb:VVVV:PPPP[:SERIAL]. timeout_ms: the pause that proves a scan incomplete; reports of one
    code come milliseconds apart. padding: what fills a report behind a code, for a scanner that does not say how long a
    code is; empty: such a scanner is refused.
    """

    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=10_000)] = 500
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=SCAN_BYTES_MAX)] = SCAN_BYTES_MAX
    padding: Literal["", "nul"] = ""
