"""A beat a second: how late the event loop is, and news of delivery where it has moved on.

Says nothing of its own: what is told, and to whom, is the console's.
"""

import asyncio
from collections.abc import Awaitable, Callable

INTERVAL_S = 1.0


async def beat(
    read_delivery: Callable[[], Awaitable[dict[str, object] | None]],
    tell_delivery: Callable[[dict[str, object]], None],
    tell_lag: Callable[[float], None],
) -> None:
    """Beat for ever. read_delivery: what GET /v1/status says of it now; tell_lag: seconds."""
    loop = asyncio.get_running_loop()
    told: dict[str, object] | None = None
    while True:
        due_s = loop.time() + INTERVAL_S
        await asyncio.sleep(INTERVAL_S)
        tell_lag(max(0.0, loop.time() - due_s))
        delivery = await read_delivery()
        if delivery is not None and delivery != told:
            told = dict(delivery)
            tell_delivery(delivery)
