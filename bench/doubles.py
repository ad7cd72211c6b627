"""What stands around the measured part: a display that shows nothing, a trust store that never changes."""

from agent.core.decision import Decision
from agent.core.transaction import Transaction
from agent.core.trust_list import Trust

BODY: dict[int, object] = {
    10: "payment", 11: 0, 12: "ok", 13: 0, 14: "ok", 15: "ehc", 16: 0, 17: "4420", 19: 0, 20: [17, 60], 23: "till",
}  # fmt: skip
"""The fields of an accepted decision as a payment step drafts it (record.cddl), but for its replay id."""


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
