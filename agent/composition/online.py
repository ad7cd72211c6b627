"""What asks the platform about codes that have no offline proof."""

from contextlib import AsyncExitStack

from agent.adapters.uplinks.online import HttpOnlineVerifier
from agent.config import Config
from agent.core.transaction import Signer
from agent.ports import Clock, Display, Ledger, Randomness, TrustStore
from agent.tasks.online import Asker, Online


async def open_online(
    stack: AsyncExitStack,
    config: Config,
    signer: Signer,
    ledger: Ledger,
    store: TrustStore,
    console: Display,
    clock: Clock,
    randomness: Randomness,
) -> Online | None:
    """Return what asks the platform about codes, its connections closed with the stack; None where nobody is asked."""
    if config.uplink.http is None or config.online.budget_s == 0:
        return None
    verifier = HttpOnlineVerifier(config.uplink.http, signer)
    return Online(
        verifier=await stack.enter_async_context(verifier),
        ledger=ledger,
        trust_store=store,
        display=console,
        clock=clock,
        randomness=randomness,
        asker=Asker(config.terminal.id, config.terminal.site),
        settings=config.online,
    )
