"""What a HID report descriptor says about a bar code scanner's input reports.

Device Class Definition for HID 1.11, 6.2.2; HID Point of Sale Usage Tables 1.02, 3 (usage page 0x8C). The law: any
bytes may come; what is not understood is no layout, and nothing is guessed that a report could not contradict.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

DESCRIPTOR_BYTES_MAX = 4_096  # HID_MAX_DESCRIPTOR_SIZE of the kernel up to 6.x
REPORT_BYTES_MAX = 4_096
STACK_MAX = 16
USAGES_MAX = 256  # of one main item
ELEMENTS_MAX = 16_384  # of all input items together

PAGE = 0x8C
_AIM = {0x8C_00FB, 0x8C_00FC, 0x8C_00FD}  # Symbology Identifier 1 to 3
_DATA = 0x8C_00FE  # Decoded Data
_MORE = 0x8C_00FF  # Decode Data Continued
_LENGTH = 0x01_003B  # Byte Count, Generic Desktop: how many of the data bytes are the code's

STANDARD_DATA_BYTES = 56  # of the 64-byte report that scanners send where their descriptor names no fields
STANDARD_REPORT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one kind of input report keeps a code. Offsets count from the report's first byte, its id included.

    size: of the whole report, bytes. length_at: the byte that says how many data bytes count; None: not told. aim_at:
    the three AIM bytes, or nothing. more_at, more_bits: the first bit and the width of "more follows"; None: not told.
    is_assumed: the descriptor names no fields, and the report has the size of the standard form.
    """

    report_id: int | None
    size: int
    data_at: int
    data_bytes: int
    length_at: int | None
    aim_at: tuple[int, ...]
    more_at: int | None
    more_bits: int = 1
    is_assumed: bool = False


@dataclass(slots=True)
class _Globals:
    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int | None = None

    def copy(self) -> "_Globals":
        return _Globals(self.page, self.size, self.count, self.report_id)

    def take(self, tag: int, value: int) -> None:
        """Keep what a global item says (6.2.2.7), as far as it matters here."""
        match tag:
            case 0x04:
                self.page = value & 0xFFFF
            case 0x74:
                self.size = value
            case 0x94:
                self.count = value
            case 0x84:
                self.report_id = value & 0xFF


@dataclass(slots=True)
class _Report:
    """One input report while it is read: bits counts what it holds, elements are (usage, first bit, bits)."""

    bits: int = 0
    elements: list[tuple[int, int, int]] = field(default_factory=list)
    has_page: bool = False


def has_scanner_page(descriptor: bytes) -> bool:
    """Say whether any collection or input is of usage page 0x8C, bar code scanner."""
    page = 0
    for tag, value, size in _items(descriptor):
        if tag == 0x04:
            page = value
        elif tag == 0x08 and (value >> 16 if size == 4 else page) == PAGE:
            return True
    return False


def layouts_of(descriptor: bytes) -> tuple[Layout, ...]:
    """Return the layouts of all input reports that carry codes; none where the descriptor describes no scanner."""
    if not has_scanner_page(descriptor):
        return ()
    reports = _reports(descriptor)
    told = tuple(layout for id_, report in reports.items() if (layout := _told(id_, report)) is not None)
    if told:
        return told
    return tuple(layout for id_, report in reports.items() if (layout := _assumed(id_, report)) is not None)


def _items(descriptor: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each short item as tag with type, value, size of the value in bytes; stop where one is cut off."""
    at = 0
    descriptor = descriptor[:DESCRIPTOR_BYTES_MAX]
    while at < len(descriptor):
        head = descriptor[at]
        if head == 0xFE:  # a long item (6.2.2.3); none is defined
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[head & 3]
        if at + 1 + size > len(descriptor):
            return
        yield head & 0xFC, int.from_bytes(descriptor[at + 1 : at + 1 + size], "little"), size
        at += 1 + size


def _reports(descriptor: bytes) -> dict[int | None, _Report]:
    """Return the input reports by id; nothing where a limit of this file is passed."""
    state, stack = _Globals(), list[_Globals]()
    usages: list[tuple[int, int]] = []  # value, size of it in bytes
    first_of_range = (0, 0)
    reports: dict[int | None, _Report] = {}
    elements = 0
    for tag, value, size in _items(descriptor):
        state.take(tag, value)
        match tag:
            case 0xA4 if len(stack) < STACK_MAX:
                stack.append(state.copy())
            case 0xB4 if stack:
                state = stack.pop()
            case 0x08:
                usages.append((value, size))
            case 0x18:
                first_of_range = value, size
            case 0x28:
                last = min(value, first_of_range[0] + USAGES_MAX)
                usages += [(usage, first_of_range[1]) for usage in range(first_of_range[0], last + 1)]
            case 0x80:
                report = reports.setdefault(state.report_id, _Report())
                elements += min(state.count, ELEMENTS_MAX + 1)
                bits = report.bits + state.size * state.count
                if elements > ELEMENTS_MAX or bits > 8 * REPORT_BYTES_MAX or len(usages) > USAGES_MAX:
                    return {}
                _add(report, state, usages, is_field=value & 0b11 == 0b10)
                report.bits = bits
        if len(usages) > USAGES_MAX + 1:
            return {}
        if tag in {0x80, 0x90, 0xB0, 0xA0, 0xC0}:  # a main item ends what is local
            usages, first_of_range = [], (0, 0)
    return reports


def _add(report: _Report, state: _Globals, usages: list[tuple[int, int]], *, is_field: bool) -> None:
    """Give each element of an input item its usage; the last one stands for all that are left (6.2.2.8).

    is_field: data, variable. Constants are padding, and arrays name keys, not places.
    """
    full = [value if size == 4 else state.page << 16 | value for value, size in usages]
    report.has_page |= any(usage >> 16 == PAGE for usage in full)
    if not is_field or not full:
        return
    for index in range(state.count):
        usage = full[min(index, len(full) - 1)]
        report.elements.append((usage, report.bits + index * state.size, state.size))


def _told(report_id: int | None, report: _Report) -> Layout | None:
    """Return the layout that the usages tell; None where there is no data, or not as bytes in a row."""
    start = 0 if report_id is None else 8
    data = _bytes_of(report, {_DATA}, start)
    if not data or data != list(range(data[0], data[0] + len(data))):
        return None
    length = _bytes_of(report, {_LENGTH}, start)
    aim = _bytes_of(report, _AIM, start)
    more = [(start + at, bits) for usage, at, bits in report.elements if usage == _MORE]
    more_bits = sum(bits for _, bits in more)
    if more and not more[-1][0] + more[-1][1] - more[0][0] == more_bits in range(1, 9):
        return None
    return Layout(
        report_id,
        size=(start + report.bits + 7) // 8,
        data_at=data[0],
        data_bytes=len(data),
        length_at=length[0] if len(length) == 1 else None,
        aim_at=tuple(aim) if len(aim) == 3 else (),
        more_at=more[0][0] if more else None,
        more_bits=more_bits or 1,
    )


def _assumed(report_id: int | None, report: _Report) -> Layout | None:
    """Return the standard form of 64 bytes: length, AIM id, 56 bytes of data, in the last byte "more follows"."""
    start = 0 if report_id is None else 1
    if report.bits != 8 * (STANDARD_REPORT_BYTES - start) or not report.has_page:
        return None
    last = 8 * (STANDARD_REPORT_BYTES - 1)
    aim = (start + 1, start + 2, start + 3)
    data_at, size = start + 4, STANDARD_REPORT_BYTES
    return Layout(report_id, size, data_at, STANDARD_DATA_BYTES, start, aim, last, 8, is_assumed=True)


def _bytes_of(report: _Report, usages: set[int], start: int) -> list[int]:
    """Return where the bytes of these usages lie; nothing where one of them is no whole byte."""
    places = [(start + at, bits) for usage, at, bits in report.elements if usage in usages]
    return [at // 8 for at, _ in places] if all(bits == 8 and at % 8 == 0 for at, bits in places) else []
