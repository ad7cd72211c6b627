"""What asks the platform about codes that have no offline proof."""

from contextlib import AsyncExitStack

from agent.adapters.keys.signing import load_or_create
from agent.adapters.uplinks.online import HttpOnlineVerifier
from agent.composition.ledger import Paths
from agent.config import Config
from agent.ports import Clock, Display, Ledger, Randomness, TrustStore
from agent.tasks.online import Asker, Online


async def open_online(
    stack: AsyncExitStack,
    config: Config,
    paths: Paths,
    ledger: Ledger,
    store: TrustStore,
    console: Display,
    clock: Clock,
    randomness: Randomness,
) -> Online | None:
    """Return what asks the platform about codes, its connections closed with the stack; None where nobody is asked."""
    if config.uplink.http is None or config.online.budget_s == 0:
        return None
    verifier = HttpOnlineVerifier(config.uplink.http, load_or_create(paths.signing_key))
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
