"""What each maker's serial scanner is sent, so that the patient hears the answer and the host can trigger.

Zebra: SSI (72E-40451). Honeywell: Xenon/Granit user guide, host ACK commands and serial trigger. Datalogic: Magellan
and PowerScan reference guides, host commands. Newland: serial programming command manual. Sending is the adapter's.
"""

from dataclasses import dataclass
from enum import StrEnum

from agent.core.decision import Answer
from agent.core.reading import ssi

SIGNAL_BYTES_MAX = 64
REPLIES_EXPECTED_MAX = 8
REPLY_MS = 1_000  # a scanner that obeys says so at once


class Vendor(StrEnum):
    """Whose commands a scanner obeys."""

    NONE = "none"
    ZEBRA_SSI = "zebra-ssi"
    HONEYWELL = "honeywell"
    NEWLAND = "newland"
    DATALOGIC = "datalogic"


@dataclass(frozen=True, slots=True)
class Signals:
    """Bytes for each occasion; empty: the scanner is left silent."""

    accepted: bytes = b""
    asked: bytes = b""
    refused: bytes = b""
    trigger_on: bytes = b""
    trigger_off: bytes = b""

    def of(self, answer: Answer) -> bytes:
        """Return what tells this answer; a provisional one lets the patient go on, so it sounds accepted."""
        match answer:
            case Answer.ACCEPT | Answer.PROVISIONAL:
                return self.accepted
            case Answer.ASK:
                return self.asked
            case Answer.REFUSE:
                return self.refused


def _newland(body: str) -> bytes:
    """Return one command, not stored in the scanner ("#"): `~ SOH 0000 # body ; ETX`."""
    return b"~\x010000#" + body.encode("ascii") + b";\x03"


_SIGNALS = {
    Vendor.NONE: Signals(),
    Vendor.ZEBRA_SSI: Signals(  # beep codes: one short high, two short high, two short low
        accepted=ssi.packet(ssi.BEEP, b"\x00"),
        asked=ssi.packet(ssi.BEEP, b"\x01"),
        refused=ssi.packet(ssi.BEEP, b"\x06"),
        trigger_on=ssi.packet(ssi.START_DECODE),
        trigger_off=ssi.packet(ssi.STOP_DECODE),
    ),
    Vendor.HONEYWELL: Signals(  # good read; two medium beeps; twice the error tone; the comma ends each command
        accepted=b"\x1b7,",
        asked=b"\x1b5,\x1b5,",
        refused=b"\x1b8,\x1b8,",
        trigger_on=b"\x16T\r",
        trigger_off=b"\x16U\r",
    ),
    # "Not on file" also disables the scanner: E enables it again, or the next patient would stand before a dead one.
    # No third sound is common to the models, and "accepted" would send somebody on whom the staff must ask first.
    Vendor.DATALOGIC: Signals(accepted=b"\x01", refused=b"FE", trigger_on=b"T", trigger_off=b"X"),
    Vendor.NEWLAND: Signals(  # hertz, milliseconds, volume; the green and the red light for a second
        accepted=_newland("BEEPON2700F100T20V;LEDONS2C1000D"),
        asked=_newland("BEEPON1500F300T20V"),
        refused=_newland("BEEPON0800F500T20V;LEDONS0C1000D"),
        trigger_on=_newland("SCNTRG1"),
        trigger_off=_newland("SCNTRG0"),
    ),
}


def signals_of(vendor: Vendor) -> Signals:
    """Return what this maker's scanners are sent."""
    return _SIGNALS[vendor]


_NEWLAND_COMMAND, _NEWLAND_REPLY, _NEWLAND_END = b"~\x010000#", b"\x02\x010000#", b";\x03"
_ACK_NAK_ENQ = b"\x06\x15\x05"


class ReplyFilter:
    """Takes Newland's replies to our commands out of what arrives between scans.

    A reply is the command again with STX for the tilde and ACK, NAK or ENQ behind each part. Where one could not be
    told from a scan, `spoils` says so and the scan is refused.
    """

    def __init__(self) -> None:
        self._expected: list[tuple[bytes, int]] = []
        self._held = b""
        self._held_at_ms = 0

    def expect(self, command: bytes, at_ms: int) -> None:
        """Say that a command was sent; only Newland's are replied to."""
        if command.startswith(_NEWLAND_COMMAND) and command.endswith(_NEWLAND_END):
            parts = command[len(_NEWLAND_COMMAND) : -len(_NEWLAND_END)].split(b";")
            reply = _NEWLAND_REPLY + b";".join(part + b"\x06" for part in parts) + _NEWLAND_END
            self._expected = [*self._expected, (reply, at_ms)][-REPLIES_EXPECTED_MAX:]

    def take(self, data: bytes, at_ms: int) -> bytes:
        """Return what arrived between scans without the replies at its beginning; half a reply is kept for later."""
        self._expected = [e for e in self._expected if at_ms - e[1] < REPLY_MS]
        if self._held:
            data, self._held = self._held + data, b""
        while data and self._expected:
            reply = self._expected[0][0]
            same = _same(data, reply)
            if same == len(reply):
                data = data[same:]
                del self._expected[0]
            elif same == len(data):
                self._held, data = data, b""
                self._held_at_ms = at_ms
            else:
                break
        return data

    def spoils(self, data: bytes) -> bool:
        """Say whether a scan has a reply in it."""
        return _NEWLAND_REPLY in data

    def broke_off(self, at_ms: int) -> bool:
        """Say, once, whether half a reply was kept whose rest never came."""
        if not self._held or at_ms - self._held_at_ms < REPLY_MS:
            return False
        self._held = b""
        return True

    def hang_up(self) -> None:
        """Forget what was expected from the device that went away."""
        self._expected, self._held = [], b""


def _same(data: bytes, reply: bytes) -> int:
    """Return how many first bytes of data fit the reply; where it says ACK, NAK and ENQ fit too."""
    for index, (byte, wanted) in enumerate(zip(data, reply, strict=False)):
        if byte != wanted and not (wanted == _ACK_NAK_ENQ[0] and byte in _ACK_NAK_ENQ):
            return index
    return min(len(data), len(reply))
