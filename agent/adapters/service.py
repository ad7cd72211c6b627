"""Tells the service manager how the agent is doing (sd_notify(3)); without one, tells nobody.

The manager's deafness never stops the agent: a message that cannot be sent is logged. Where the socket is, is the
caller's to say.
"""

import logging
import socket

logger = logging.getLogger(__name__)

STATUS_CHARS_MAX = 200


class Service:
    """The agent as a service. address: the value of NOTIFY_SOCKET, or None where nobody listens.

    watchdog_s: how long the manager waits for a sign of life before it ends the agent; None where it does not.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address and address.startswith("@") else address or None

    def ready(self) -> None:
        """Say that start-up is over: decisions can be stored, and every scanner's task has begun."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the agent is ending in order."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def extend(self, limit_s: float) -> None:
        """Ask for that long to finish starting, or stopping, where the unit allows less."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(limit_s * 1_000_000)}")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        line = "".join(c if c.isprintable() else " " for c in text)  # a line end would begin another assignment
        self._send(f"STATUS={line[:STATUS_CHARS_MAX]}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            logger.warning("the service manager cannot be told %s: %s", message.partition("=")[0], error.strerror)
