"""Telling the bytes a line brought from the marks the kernel puts among them (termios PARMRK with INPCK).

The law: a byte that came damaged is never taken for one that was sent. Where reads are cut does not matter.
"""

_MARK = 0xFF
_DAMAGE = 0x00


class MarkReader:
    """Reads what a tty gives with PARMRK set (termios(3), c_iflag; drivers/tty/n_tty.c).

    0xFF comes as 0xFF 0xFF, a byte with a framing or parity error as 0xFF 0x00 and the byte, a break as 0xFF 0x00 0x00.
    """

    def __init__(self) -> None:
        self._held = b""  # the beginning of a mark, at the end of the last read

    def feed(self, data: bytes) -> list[bytes | None]:
        """Return the bytes as they were sent, and None at each place where one came damaged."""
        if not self._held and _MARK not in data:
            return [data] if data else []
        data, self._held = self._held + data, b""
        pieces: list[bytes | None] = []
        sent = bytearray()
        at = 0
        while at < len(data):
            mark = data.find(_MARK, at)
            sent += data[at : mark if mark >= 0 else len(data)]
            if mark < 0:
                break
            follows = data[mark + 1 : mark + 3]
            if not follows or (follows[0] == _DAMAGE and len(follows) == 1):
                self._held = data[mark:]
                break
            if follows[0] == _MARK:
                sent.append(_MARK)
                at = mark + 2
                continue
            if sent:
                pieces.append(bytes(sent))
                sent.clear()
            pieces.append(None)
            # No kernel writes another byte behind a mark; if one does, mark and byte both count as damaged.
            at = mark + (3 if follows[0] == _DAMAGE else 2)
        if sent:
            pieces.append(bytes(sent))
        return pieces

    def hang_up(self) -> None:
        """Forget half a mark: what comes now is from another opening."""
        self._held = b""
