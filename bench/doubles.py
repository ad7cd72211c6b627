"""What stands around the measured part: a display that shows nothing, a trust store that never changes."""

from agent.core.decision import Decision
from agent.core.transaction import Transaction
from agent.core.trust_list import Trust


class SilentDisplay:
    """Implements ports.Display."""

    async def show(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Show nothing."""

    async def notice(self, topic: str, text: str) -> None:
        """Show nothing."""


class FixedTrust:
    """Implements ports.TrustStore."""

    def __init__(self, trust: Trust) -> None:
        self.current: Trust | None = trust
