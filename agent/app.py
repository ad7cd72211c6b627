"""The composition root: builds the adapters, gives each task what it needs, and runs them in one task group.

An unexpected exception ends the process, and the service manager starts it again; the ledger makes that safe.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack

from agent.adapters.clock import SystemClock, SystemRandomness
from agent.adapters.console.console import Console
from agent.adapters.console.lines import Lines
from agent.adapters.console.opening import open_server
from agent.adapters.keys.signing import load_or_create
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.service import Service
from agent.composition.console import build_desk, pulse_of, status_of
from agent.composition.ledger import LedgerValues, Paths, open_ledger, opening_s_max
from agent.composition.link import Parts, Reload, open_link
from agent.composition.online import open_online
from agent.composition.scanners import Entrance, build_scanners, may_end, open_hot_plug
from agent.composition.trust import build_refresher, build_store
from agent.config import Config
from agent.core.time_interval import SignedTime
from agent.tasks.checkpoint import Checkpoint
from agent.tasks.housekeeping import keep_house
from agent.tasks.trust import keep_trust_fresh
from agent.tasks.watchdog import Watchdog


async def run(
    config: Config,
    *,
    service: Service,
    lines_to: Lines | None,
    stop: asyncio.Event,
    reload: Reload | None = None,
) -> None:
    """Run the agent until `stop` is set. Raises what ports/troubles.py lists for start-up; anything else is a bug."""
    paths = Paths(config.state_directory)
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, randomness, signed_time, announced = SystemClock(), SystemRandomness(), SignedTime(), asyncio.Event()
    service.extend(opening_s_max(paths.ledger))
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(ThreadedLedger(open_ledger(config, paths, randomness)))
        values, history = LedgerValues(ledger), await ledger.history(clock.now().now)
        console = Console(lines_to=lines_to)
        store = build_store(config, paths, ledger)
        if (trouble := await store.restore()) is not None:
            await console.notice("trust", trouble.detail)
        signer = load_or_create(paths.signing_key)
        online = await open_online(stack, config, signer, ledger, store, console, clock, randomness)
        desk = build_desk(config, ledger, store, console, clock, randomness)
        await desk.restore()
        checkpoint = Checkpoint(
            ledger, store, history, console, clock, online, signed_time, errands=desk, on_passed=console.counts.passed
        )
        scanners = build_scanners(config, clock, console, open_hot_plug(stack))

        async def said() -> dict[str, object]:
            return await status()  # which tells of the link, and is made behind it

        link = await open_link(stack, config, Parts(
            signer=signer, ledger=ledger, history=history, store=store, values=values,
            console=console, clock=clock, randomness=randomness, signed_time=signed_time, announced=announced,
            said=said, reload=reload,
        ))  # fmt: skip
        status = status_of(config, ledger, store, link, scanners, console, clock)
        server = await open_server(
            config.console, paths.console_token, console=console, requests=desk, scans=Entrance(scanners),
            ledger=ledger, values=values,
            status=status, step=config.terminal.step, clock=clock, randomness=randomness,
        )  # fmt: skip
        stack.push_async_callback(server.stop)
        tasks: dict[str, Coroutine[None, None, None]] = {
            f"checkpoint:{name}": checkpoint.watch(scanner, step) for name, (scanner, step) in scanners.items()
        }
        tasks |= {"parts": checkpoint.give_up_parts(), **(link.tasks() if link is not None else {})}
        if (refresher := build_refresher(config, paths)) is not None:
            tasks["trust"] = keep_trust_fresh(
                refresher, store, clock, randomness, config.trust, console.notice, announced=announced
            )
        if online is not None:
            tasks["online"] = online.keep_ready()
        tasks["housekeeping"] = keep_house(ledger, history, store, signed_time, clock)
        tasks |= {"requests": desk.run(), "pulse": pulse_of(status, console)}
        await console.notice("agent", f"ready; local API at {server.address}")
        watched = [scanner for scanner, _ in scanners.values()]
        watchdog = Watchdog(service, ledger, watched, service.watchdog_s, may_end(config))
        await run_until(stop, tasks, service, watchdog, None if link is None else link.heartbeat.say_goodbye)


async def run_until(
    stop: asyncio.Event,
    tasks: dict[str, Coroutine[None, None, None]],
    service: Service,
    watchdog: Watchdog | None = None,
    farewell: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run the tasks in one group until `stop` is set; the first unexpected exception ends them all.

    farewell: what is done at the stop while the tasks still run; it bounds itself.
    """
    try:
        async with asyncio.TaskGroup() as group:
            running = {name: group.create_task(task, name=name) for name, task in tasks.items()}
            group.create_task(end_when(stop, farewell), name="stop")
            for _ in range(2):  # one turn of the loop for each task to begin, one to hear of those that failed at once
                await asyncio.sleep(0)
            service.ready()
            if watchdog is not None:
                group.create_task(watchdog.keep(running), name="watchdog")
    except* Stopped:
        service.stopping()


class Stopped(Exception):
    """Ends the task group in order."""


async def end_when(stop: asyncio.Event, farewell: Callable[[], Awaitable[None]] | None = None) -> None:
    """Wait for the stop, say goodbye, then end every other task."""
    await stop.wait()
    if farewell is not None:
        await farewell()
    raise Stopped
