"""A scan as a technician needs to see it: kind, length, character set, what went wrong; never its content unasked.

The law: without `show` nothing of a payload is told but its length and the shape of its two ends; a bearer's code
(payment, insurance …), or what might be one, is not shown even so.
"""

from collections.abc import Iterator
from dataclasses import replace

from agent.core.codes import recognise
from agent.core.codes.hospital_card import NO_CARDS, CardPatterns
from agent.core.scan import Scan, ScanFault
from agent.core.verification import is_bearer

HEAD_CHARS, TAIL_CHARS = 24, 8
SHOWN_CHARS_MAX = 2_000
CURES = {
    ScanFault.OVER_LONG: ("longer than a code can be", "see framing: the end of a scan is not seen; see baud"),
    ScanFault.INCOMPLETE: (
        "the end of the scan never came",
        "set the scanner's suffix and framing (or terminator) to the same; raise timeout_ms for a slow one",
    ),
    ScanFault.CUT: ("the scanner went away in the middle of it", "see plug, cable and power; no USB hub without power"),
    ScanFault.LOST: ("the kernel dropped part of it", "scan again; if it comes back, the terminal has too little time"),
    ScanFault.KEYS: (
        "a key that the layout does not have",
        "set layout to what the scanner types: scanward scanners calibrate",
    ),
    ScanFault.DAMAGED: (
        "prefix, suffix, length or check sum is not what is configured",
        "compare prefix, suffix, aim_id, framing and baud with the scanner: scanward scanners calibrate",
    ),
    ScanFault.SYMBOLOGY: ("a kind of code this scanner is not to take", "add it to symbologies, or scan another code"),
    ScanFault.FLOOD: ("more scans than any hand makes", "see scans_per_s_max; a presentation scanner repeats itself"),
}
_AIM_KINDS = {  # ISO/IEC 15424, the code characters a health terminal meets
    "Q": "QR", "d": "Data Matrix", "z": "Aztec", "L": "PDF417", "C": "Code 128", "A": "Code 39", "G": "Code 93",
    "F": "Codabar", "I": "ITF", "E": "EAN or UPC", "e": "GS1 DataBar", "U": "MaxiCode", "h": "Han Xin",
}  # fmt: skip


def lines_of(
    scan: Scan, number: int, after_s: float | None, *, show: bool, cards: CardPatterns = NO_CARDS
) -> Iterator[str]:
    """Yield what is told of one scan. after_s: since the one before it; cards: what the site's own cards look like."""
    pause = "first" if after_s is None else f"+{after_s:.3f} s"
    words = [f"{len(scan.data)} bytes", kind_of(scan), charset_of(scan)]
    if controls := controls_of(scan.data):
        words.append(controls)
    if scan.fault is None:
        yield f"{number:>4}  {pause:<10} ok     {', '.join(words)}, family {recognise(scan, cards).family}"
    else:
        what, do = CURES.get(scan.fault, (scan.fault.value, "see docs/scanners.md"))
        yield f"{number:>4}  {pause:<10} FAULT  {scan.fault.value}: {what}; {', '.join(words)}"
        yield f"{'':>18}do: {do}"
    if scan.data:
        is_shown = show and not is_bearer(recognise(replace(scan, fault=None), cards).family, scan.data)
        yield f"{'':>18}{content_of(scan) if is_shown else shape_of(scan)}"


def kind_of(scan: Scan) -> str:
    """Name the kind of code, where the scanner tells."""
    if scan.aim is None:
        return "AIM id not told"
    kind = _AIM_KINDS.get(scan.aim[1:2])
    return f"AIM id {scan.aim}" + (f" ({kind})" if kind else "")


def charset_of(scan: Scan) -> str:
    """Say what its bytes are written in."""
    eci = "" if scan.eci is None else f", ECI {scan.eci}"
    if scan.data.isascii():
        return f"ASCII{eci}"
    try:
        scan.data.decode("utf-8")
    except UnicodeDecodeError:
        return f"not UTF-8: {'no character set fits' if scan.text is None else f'read as {scan.charset}'}{eci}"
    return f"UTF-8{eci}"


def controls_of(data: bytes) -> str:
    """Count the control characters, each by its sign."""
    found = sorted({byte for byte in data if byte < 0x20 or byte == 0x7F})
    return " ".join(f"{visible(chr(byte))}×{data.count(byte)}" for byte in found)


def visible(character: str) -> str:
    """Return a character as it can be seen: a control character as its sign (Unicode, Control Pictures)."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02x}⟩"
    return character if character.isprintable() else f"⟨U+{code:04X}⟩"


def masked(character: str) -> str:
    """Return what kind of character it is: A, a, 9, 文; signs and control characters as they are."""
    if character.isdigit():
        return "9"
    if character.isalpha():
        return ("A" if character.isupper() else "a") if character.isascii() else "文"
    return visible(character) if character.isascii() else "·"


def shape_of(scan: Scan) -> str:
    """Return the shape of both ends, nothing else."""
    text = _text(scan)
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return "shape " + "".join(map(masked, text))
    head, tail = text[:HEAD_CHARS], text[-TAIL_CHARS:]
    rest = len(text) - HEAD_CHARS - TAIL_CHARS
    return f"shape {''.join(map(masked, head))} … {rest} more … {''.join(map(masked, tail))}"


def content_of(scan: Scan) -> str:
    """Return the text itself, control characters made visible."""
    text = _text(scan)
    rest = len(text) - SHOWN_CHARS_MAX
    return "text  " + "".join(map(visible, text[:SHOWN_CHARS_MAX])) + (f" … {rest} more" if rest > 0 else "")


def _text(scan: Scan) -> str:
    return scan.text if scan.text is not None else scan.data.decode("utf-8", "surrogateescape")
