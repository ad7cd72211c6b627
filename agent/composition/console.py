"""What the console shows beside decisions: requests, the status, delivery and the loop's pulse."""

from collections.abc import Awaitable, Callable, Coroutine

from agent.adapters.clock import SystemClock
from agent.adapters.console.console import Console
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.trust_store.store import TrustStore
from agent.composition.link import PlatformLink
from agent.composition.scanners import said_of
from agent.config import Config
from agent.ports import Clock, Randomness, Scanner
from agent.tasks.pulse import beat
from agent.tasks.requests import RequestDesk


def build_desk(
    config: Config, ledger: ThreadedLedger, store: TrustStore, console: Console, clock: Clock, randomness: Randomness
) -> RequestDesk:
    """Return what owns the requests; it tells the console of each change."""
    desk = RequestDesk(
        ledger=ledger,
        trust_store=store,
        scanners=[scanner.id for scanner in config.scanners],
        display=console,
        on_change=lambda request: console.request(request, desk.left_s(request)),
        clock=clock,
        randomness=randomness,
        settings=config.requests,
    )
    return desk


def pulse_of(status: Callable[[], Awaitable[dict[str, object]]], console: Console) -> Coroutine[None, None, None]:
    """Return the task that tells the console how late the loop is, and of delivery."""

    async def read_delivery() -> dict[str, object] | None:
        delivery = (await status()).get("uplink")
        if not isinstance(delivery, dict):
            return None
        # Not for how long a carrier is used: that is news every second, and would crowd the decisions out.
        return {name: said for name, said in delivery.items() if name != "for_s"}

    def tell_lag(lag_s: float) -> None:
        console.counts.loop_lag_s = lag_s

    return beat(read_delivery, console.delivery, tell_lag)


def status_of(
    config: Config,
    ledger: ThreadedLedger,
    store: TrustStore,
    link: PlatformLink | None,
    scanners: dict[str, tuple[Scanner, str]],
    console: Console,
    clock: SystemClock,
) -> Callable[[], Awaitable[dict[str, object]]]:
    """Return what GET /v1/status asks: counts, ids and ages, nothing of a person."""

    async def status() -> dict[str, object]:
        trust, now = store.current, clock.now().now
        delivery = link.succession.delivery if link is not None else None
        return {
            "terminal": config.terminal.id,
            "site": config.terminal.site,
            "ledger": {"id": ledger.ledger_id.hex(), "head_seq": ledger.head_seq},
            "uplink": None
            if link is None or delivery is None
            else {
                "name": link.carriers.name,
                **link.carriers.status(),
                "is_up": delivery.is_up,
                "cursor": delivery.cursor,
                "waiting": ledger.head_seq - delivery.cursor,
            },
            "trust": None
            if trust is None
            else {
                "version": trust.trust_list.version,
                "age_s": trust.age_s(now),
                "freshness": trust.freshness(now).value,
                "policy_version": trust.policy.version if trust.policy else None,
            },
            "scanners": said_of(scanners, config, console.why_absent),
        }

    return status
