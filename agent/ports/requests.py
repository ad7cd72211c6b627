"""Steps that people and programs take part in."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.core.decision import Decision
from agent.core.requests import Event, Request, Role
from agent.core.transaction import Transaction


class Errands(Protocol):
    """What a checkpoint asks and tells about requests (core/requests.py)."""

    def step_for(self, scanner: str, step: str) -> str:
        """Return the step that this scanner's scan is for: that of a request that waits for it, else `step`."""
        ...

    async def decided(self, scanner: str, decision: Decision, transaction: Transaction) -> None:
        """Record what a stored decision is to a request, before it is shown. Raises LedgerBroken."""
        ...


class Requests(Protocol):
    """Requests as programs and people see them. What changes one raises RequestRefused, LedgerFull."""

    def get(self, request_id: bytes) -> Request | None:
        """Return a request, also one that has been over for a little while."""
        ...

    def waiting(self) -> Sequence[Request]:
        """Return the requests that are open or asking, the oldest first."""
        ...

    def left_s(self, request: Request) -> int | None:
        """Return how many whole seconds a request still waits; None where it is over."""
        ...

    async def open(self, by: Role, step: str, scanner: str | None, details: Mapping[str, str]) -> Request:
        """Ask that the next scan (of that scanner; None: of any) be for a step; return once that is durable."""
        ...

    async def change(self, by: Role, request_id: bytes, event: Event, items: Sequence[str] = ()) -> Request:
        """Confirm, cancel or add items; return once that is durable. What has already happened is answered again."""
        ...
