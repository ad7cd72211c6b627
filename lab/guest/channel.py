"""A way from a printed code into the machine, as the rows use it: plugged, cut into parts, unplugged."""

from typing import Protocol


class Channel(Protocol):
    """One scanner's own end. Parts are put one after another; what they are is the channel's business."""

    @property
    def scanner(self) -> str:
        """The id of the agent's scanner that listens to it."""
        ...

    @property
    def aim(self) -> str | None:
        """The AIM id that has to come out beside the payload."""
        ...

    @property
    def pause_s(self) -> float:
        """What its scanner leaves between parts."""
        ...

    def parts(self, data: bytes) -> list[bytes]:
        """Return what a scan of this payload is on its way, at least two parts for 60 bytes."""
        ...

    def put(self, part: bytes) -> None:
        """Send one part."""
        ...

    def plug_in(self) -> None:
        """Connect the device."""
        ...

    def unplug(self) -> None:
        """Take it away, whatever it is in the middle of."""
        ...
