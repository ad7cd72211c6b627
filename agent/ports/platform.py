"""The ways to a platform: carriers of batches and receipts, commands, and its word about a code."""

from typing import Protocol

from agent.core.online import Question


class Uplink(Protocol):
    """One way to one platform."""

    @property
    def name(self) -> str:
        """Names its cursor."""
        ...

    async def hello(self, hello: bytes) -> bytes:
        """Send a hello (hello.cddl); return the answer's bytes. Raises PlatformUnreachable, PlatformRejected."""
        ...

    async def send(self, batch: bytes) -> bytes:
        """Send a batch (batch.cddl); return the signed receipt. Raises PlatformUnreachable, PlatformRejected."""
        ...

    def distrust(self, answer: bytes) -> None:
        """Take note that this answer to a hello or a batch was not the platform's."""
        ...

    async def tell_status(self, status: bytes) -> None:
        """Hand over a signed status (command.cddl). Raises PlatformUnreachable, PlatformRejected."""
        ...

    async def tell_answer(self, answer: bytes) -> None:
        """Hand over the signed answer to a command. Raises PlatformUnreachable, PlatformRejected."""
        ...


class Carrier(Uplink, Protocol):
    """One of several ways to the same platform; all of them share its cursor."""

    @property
    def kind(self) -> str:
        """Say which it is, e.g. "mqtt"; for people and status."""
        ...

    @property
    def is_connected(self) -> bool:
        """Say whether a request would go out, as far as is known without trying."""
        ...


class CommandSink(Protocol):
    """Where commands of the platform go, whatever carried them."""

    def offer(self, signed: bytes) -> None:
        """Take a command (command.cddl) as it came, unverified; where too many wait, drop it: it comes again."""
        ...


class OnlineVerifier(Protocol):
    """Asks the platform about one code that has no offline proof."""

    async def verify(self, question: Question, *, budget_s: float) -> bytes:
        """Ask, signed by this terminal; return the signed answer (online.cddl, verification).

        Raises PlatformUnreachable, also when the budget is over; PlatformRejected.
        """
        ...

    async def make_ready(self) -> None:
        """Make or hold a connection, so that none of a budget is spent on it. Raises PlatformUnreachable."""
        ...
