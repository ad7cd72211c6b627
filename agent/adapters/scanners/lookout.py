"""Looking for a device until it is there: at once, at every sign that the machine's devices changed, and by the clock.

The law: somebody always looks. A kernel's word is a hint; the clock finds what a lost word would have told.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

REOPEN_DELAY_S_FIRST = 0.1
REOPEN_DELAY_S_MAX = 2.0  # an attempt costs microseconds; nobody should wait long for a scanner just plugged in
HELD_S = 2.0  # a device that was open so long counts as one that was there
LATE_S_MAX = 2.0  # of a timer, before it counts as lost


class DeviceAbsent(Exception):
    """The device cannot be read now; the text says why and what to do about it."""


class HotPlug(Protocol):
    """Who hears that the machine's devices changed."""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called on the loop whenever a device comes or goes; return what ends that."""
        ...


class Lookout:
    """Opens one device and opens it again after every loss.

    open_device: opens it, tells that it is there, and begins to read; raises DeviceAbsent, and leaves nothing open
    then. on_absent: told why not.
    """

    def __init__(
        self, open_device: Callable[[], None], on_absent: Callable[[str], None], hot_plug: HotPlug | None = None
    ) -> None:
        self._open_device = open_device
        self._on_absent = on_absent
        self._hot_plug = hot_plug
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch: Callable[[], None] | None = None
        self._delay_s = REOPEN_DELAY_S_FIRST
        self._opened_at_s = -math.inf

    @property
    def is_looking(self) -> bool:
        """Say whether the device is looked for, by a timer that is not lost."""
        now_s = asyncio.get_running_loop().time()
        return self._timer is not None and now_s - self._timer.when() < LATE_S_MAX

    def look(self) -> None:
        """Open the device now, or as soon as it is there."""
        if self._unwatch is None and self._hot_plug is not None:
            self._unwatch = self._hot_plug.watch(self._on_changed)
        self._cancel()
        try:
            self._open_device()
        except DeviceAbsent as error:
            self._on_absent(str(error))
            self._later()
        except (OSError, RuntimeError) as error:  # no descriptor or no thread to be had: the machine, not the device
            self._on_absent(f"no means to open it ({error}): see to this machine's limits of open files and tasks")
            self._later()
        else:
            self._opened_at_s = asyncio.get_running_loop().time()

    def lost(self, why: str, *, again_in_s: float | None = None) -> None:
        """Say that the device went away; look for it from now on.

        One that goes as soon as it is opened is opened less and less often, unless the caller says when (s).
        """
        if again_in_s is not None:
            self._delay_s = max(again_in_s, REOPEN_DELAY_S_FIRST)
        elif asyncio.get_running_loop().time() - self._opened_at_s >= HELD_S:
            self._delay_s = REOPEN_DELAY_S_FIRST
        self._on_absent(why)
        self._later()

    def stop(self) -> None:
        """Look no more."""
        self._cancel()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._delay_s, self.look)
        self._delay_s = min(2 * self._delay_s, REOPEN_DELAY_S_MAX)

    def _on_changed(self) -> None:
        """A device came or went: what is looked for may be there now, or once udev has given it its name and group."""
        if self._timer is not None:
            self._delay_s = REOPEN_DELAY_S_FIRST
            self.look()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
