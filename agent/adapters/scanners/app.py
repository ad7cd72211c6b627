"""A phone or a program as scanner: what it has read comes through the local API.

The law: what is not taken is refused to its face, by a word of ports.Entered. Who may bring scans is the console's.
"""

from collections.abc import AsyncGenerator

from agent.adapters.scanners.intake import Intake, TakenIn
from agent.adapters.scanners.presence import OnPresence, Presence, log_presence
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import SCAN_BYTES_MAX, Scan
from agent.ports import Clock, Entered


class Settings(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="app"):
    """Scans that programs of this machine bring: nothing but what every scanner has."""


class AppScanner(TakenIn):
    """One program's scans. One consumer iterates `scans()`; only meanwhile they are taken."""

    def __init__(self, settings: Settings, clock: Clock, on_presence: OnPresence = log_presence) -> None:
        self._settings = settings
        self._intake = Intake(settings, clock, on_presence)

    async def scans(self) -> AsyncGenerator[Scan, None]:
        """Yield the scans that were brought."""
        self._intake.be_present("programs bring scans by POST /v1/scans")
        try:
            while True:
                yield await self._intake.next()
        finally:
            self._intake.be_absent("the agent stops")

    def why_silent(self) -> str | None:
        """Say why no scan can come through; None while all is well."""
        return self._intake.why_stuck()

    def enter(self, data: bytes, aim: str | None) -> Entered:
        """Take a scan, or say why not (ports.TakesScans)."""
        if len(data) > SCAN_BYTES_MAX:
            return Entered.TOO_LONG
        if self._intake.is_full or self.presence is not Presence.PRESENT:
            return Entered.FULL
        dropped = self._intake.counts.dropped
        self._intake.take([Piece(data, aim=aim)])
        return Entered.TAKEN if self._intake.counts.dropped == dropped else Entered.FLOOD
