"""How the reports of a HID bar code scanner become whole scans (HID Point of Sale Usage Tables 1.02, 3).

The law: a scan is one or more reports in a row, and nothing numbers them; so whatever may be the rest of something
whose beginning was not seen is refused, never read. The caller has clock and device.
"""

from typing import NamedTuple

from agent.core.reading.piece import Piece
from agent.core.reading.profile import is_aim_id
from agent.core.reading.report_descriptor import Layout
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

REPORT_TIMEOUT_MS = 500  # a scanner sends the reports of one code milliseconds apart
TAIL_MS = 10_000  # behind a scan that broke off, its rest may come this late, and would look like a scan
SETTLE_MS = 200  # behind opening: whoever is in the middle of a code now goes on within this time
_NO_AIM = bytes(3)


class _Part(NamedTuple):
    """What one report says. aim: its three bytes as they came."""

    data: bytes
    aim: bytes
    has_more: bool
    fault: ScanFault | None = None


class ReportAssembler:
    """Assembles the reports of one scanner into whole scans.

    layouts: agent/core/reading/report_descriptor.py's. The caller says when the device was opened (`begin`), feeds each
    report as it was read, its id included, calls `idle` at `due_at_ms`, says when reports may be missing (`lose_track`)
    and that the device is gone (`hang_up`). Times are milliseconds of any one clock that does not step. Where a layout
    has no length, NULs at the end of a report are padding. Not thread-safe.
    """

    def __init__(
        self,
        layouts: tuple[Layout, ...],
        *,
        bytes_max: int = SCAN_BYTES_MAX,
        timeout_ms: int = REPORT_TIMEOUT_MS,
        settle_ms: int = SETTLE_MS,
    ) -> None:
        self._layouts = {layout.report_id: layout for layout in layouts}
        self._bytes_max = bytes_max
        self._timeout_ms = timeout_ms
        self._settle_ms = settle_ms
        self._data = bytearray()
        self._is_under_way = False
        self._from: tuple[int | None, bytes] | None = None  # the report id and AIM id of the first part
        self._fault: ScanFault | None = None
        self._is_told = False  # the fault was given out; what is left of the scan goes
        self._fed_at_ms = 0
        self._tail: tuple[ScanFault, int] | None = None  # what the next scan is, should it begin before then

    @property
    def due_at_ms(self) -> int | None:
        """When `idle` will have something to do, should nothing come until then; None while nothing is pending."""
        return self._fed_at_ms + self._timeout_ms if self._is_under_way else None

    def begin(self, at_ms: int) -> None:
        """Say that the device was opened now: a scan that was under way is known only by its rest."""
        self._reset()
        self._tail = ScanFault.LOST, at_ms + self._settle_ms

    def feed(self, report: bytes, at_ms: int) -> list[Piece]:
        """Take one report; return the scan it completes, and the one that its coming late has broken."""
        layout = self._layout_of(report)
        if layout is None:
            return []
        pieces = self.idle(at_ms)
        if not self._is_under_way:
            self._start(at_ms)
        self._fed_at_ms = at_ms
        part = _part(layout, report)
        self._join(layout, part)
        if len(report) < layout.size:  # whether more follows is not known
            pieces += self._end()
            self._tail = ScanFault.DAMAGED, at_ms + TAIL_MS
        elif not part.has_more:
            pieces += self._end()
        elif len(self._data) > self._bytes_max and not self._is_told:
            pieces.append(self._piece())
            self._is_told = True
        return pieces

    def idle(self, at_ms: int) -> list[Piece]:
        """Say that nothing came until now; return the scan whose rest did not come."""
        due_at_ms = self.due_at_ms
        if due_at_ms is None or at_ms < due_at_ms:
            return []
        pieces = self._end(ScanFault.INCOMPLETE)
        self._tail = ScanFault.INCOMPLETE, due_at_ms + TAIL_MS
        return pieces

    def hang_up(self) -> list[Piece]:
        """Say that the device is gone; return the scan that it took with it."""
        self._tail = None
        return self._end(ScanFault.CUT) if self._is_under_way else []

    def lose_track(self, at_ms: int) -> None:
        """Say that reports may be missing from here on: the scan under way, or else the next, is lost.

        Should none come, `idle` gives the loss out: a scan may have been lost with nothing left of it.
        """
        if not self._is_under_way:
            self._start(at_ms)
        self._fault, self._is_told = ScanFault.LOST, False
        self._fed_at_ms = at_ms

    def _layout_of(self, report: bytes) -> Layout | None:
        """Return None for reports that carry no code: buttons, states, settings."""
        return self._layouts.get(None) or self._layouts.get(report[0] if report else None)

    def _start(self, at_ms: int) -> None:
        tail, self._tail = self._tail, None
        self._is_under_way = True
        if tail is not None and at_ms < tail[1]:
            self._fault = tail[0]

    def _join(self, layout: Layout, part: _Part) -> None:
        if self._from is None:
            self._from = layout.report_id, part.aim
        report_id, aim = self._from
        # Later parts repeat the AIM id or leave it empty. Another one is another scan: reports are missing.
        if report_id != layout.report_id or part.aim not in {aim, _NO_AIM}:
            self._fault = self._fault or ScanFault.DAMAGED
        self._fault = self._fault or part.fault
        if len(self._data) <= self._bytes_max:
            self._data += part.data

    def _end(self, fault: ScanFault | None = None) -> list[Piece]:
        """Give up what is pending, once."""
        self._fault = self._fault or fault
        is_something = (self._data or self._fault is not None) and not self._is_told
        pieces = [self._piece()] if is_something else []
        self._reset()
        return pieces

    def _piece(self) -> Piece:
        data, fault = bytes(self._data), self._fault
        if len(data) > self._bytes_max:
            data, fault = data[: self._bytes_max], fault or ScanFault.OVER_LONG
        aim = self._from[1] if self._from is not None else _NO_AIM
        return Piece(data, fault, aim.decode("ascii") if is_aim_id(aim) else None)

    def _reset(self) -> None:
        self._data.clear()
        self._is_under_way = self._is_told = False
        self._from = self._fault = None


def _part(layout: Layout, report: bytes) -> _Part:
    """Read one report. A length that cannot be, or a standard form that is none, is damaged."""
    if len(report) < layout.size:
        return _Part(b"", _NO_AIM, has_more=False, fault=ScanFault.DAMAGED)
    data = report[layout.data_at : layout.data_at + layout.data_bytes]
    aim = bytes(report[at] for at in layout.aim_at) if layout.aim_at else _NO_AIM
    length = len(data.rstrip(b"\0")) if layout.length_at is None else report[layout.length_at]
    if layout.more_at is None:  # a full report may be the first of several, and nothing would tell
        is_full = length >= layout.data_bytes
        return _Part(data[:length], aim, has_more=is_full, fault=ScanFault.DAMAGED if is_full else None)
    more = int.from_bytes(report[: layout.size], "little") >> layout.more_at & (1 << layout.more_bits) - 1
    if layout.length_at is None and more:
        length = len(data)  # only the last report has padding
    is_damaged = length > layout.data_bytes
    if layout.is_assumed:
        is_damaged |= more > 1 or length == 0 or not is_aim_id(aim)
    return _Part(data[:length], aim, has_more=more != 0, fault=ScanFault.DAMAGED if is_damaged else None)
