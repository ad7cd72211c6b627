"""Values and edits drawn from a fuzzer's bytes: the same bytes, the same draw, so coverage can steer it."""

from collections.abc import Callable

DEPTH_MAX = 12
_ITEMS_MAX = 6
_TEXTS = ("", "4420", "https://health.example/issuer", "CT", "0" * 40, "Ω药", "\x00", "-0", "VerifiableCredential")
_NUMBERS = (
    0, 1, 23, 24, 255, 256, 65_535, 2**31, 1_800_000_000, 1_800_000_060, 1_800_000_000_000, 2**32 - 1, 2**53, 2**63,
    2**64 - 1,
)  # fmt: skip


class Choices:
    """A fuzzer's bytes, read from the front; where none are left, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self, bytes_: int) -> int:
        """Return a number of so many bytes."""
        return int.from_bytes(bytes(self.byte() for _ in range(bytes_)), "big")

    def take(self, count: int) -> bytes:
        """Return the next bytes, at most so many."""
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(max(0, len(self._data) - self._at))

    @property
    def is_empty(self) -> bool:
        """Say whether all bytes are read."""
        return self._at >= len(self._data)


def value(choices: Choices, key: Callable[[Choices], object], depth: int = 0) -> object:
    """Return a value as CBOR and JSON can both say it; `key` draws the names of a map."""
    kind = choices.byte() % 12
    match kind:
        case 0 | 1:
            return _NUMBERS[choices.byte() % len(_NUMBERS)] * (-1 if kind else 1)
        case 2:
            return choices.number(1 + choices.byte() % 8)
        case 3:
            return _TEXTS[choices.byte() % len(_TEXTS)]
        case 4 | 5:
            return choices.take(choices.byte() % 64).decode("utf-8", "replace")
        case 6:
            return (True, False, None)[choices.byte() % 3]
        case 7:
            return (0.0, -0.5, 1.8e9, 1.8e12, 1e308, -1e-9)[choices.byte() % 6]
        case 8 | 9 if depth < DEPTH_MAX:
            return [value(choices, key, depth + 1) for _ in range(choices.byte() % _ITEMS_MAX)]
        case _ if depth < DEPTH_MAX:
            return {key(choices): value(choices, key, depth + 1) for _ in range(choices.byte() % _ITEMS_MAX)}
    return None


def edited(text: bytes, choices: Choices) -> bytes:
    """Return a text with up to eight changes: a byte replaced, inserted or removed, a piece doubled, the end cut."""
    changed = bytearray(text)
    for _ in range(choices.byte() % 8 + 1):
        kind, at, new = choices.byte() % 6, choices.number(2) % (len(changed) + 1), choices.byte()
        match kind:
            case 0 | 1:
                changed[at : at + 1] = bytes((new,))
            case 2:
                changed[at:at] = bytes((new,))
            case 3:
                del changed[at : at + 1 + new % 4]
            case 4:
                changed[at:at] = changed[at : at + new]
            case _:
                del changed[at:]
        if choices.is_empty:
            break
    return bytes(changed)
