"""Whether a scanner is there, told once for each change: what a technician needs, never what was scanned."""

import logging
from collections.abc import Callable
from enum import StrEnum

logger = logging.getLogger(__name__)


class Presence(StrEnum):
    """Whether the scanner can be read now."""

    PRESENT = "present"
    ABSENT = "absent"


OnPresence = Callable[[str, Presence, str], None]
"""Called with the scanner's id, its new presence, and for ABSENT why and what to do about it."""


def log_presence(scanner_id: str, presence: Presence, why: str) -> None:
    """Tell the log: an absent scanner is a warning."""
    level = logging.INFO if presence is Presence.PRESENT else logging.WARNING
    logger.log(level, "scanner %s is %s: %s", scanner_id, presence.value, why)
