"""Everything that speaks with the platform, built and connected: carriers, delivery, commands, heartbeat."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from agent import __version__
from agent.adapters.uplinks.http import HttpUplink
from agent.adapters.uplinks.mqtt import Events, MqttUplink
from agent.config import Config
from agent.core.commands import TEXT_BYTES_MAX, Outcome
from agent.core.decision import History
from agent.core.status import State, as_text, encode_status
from agent.core.time_interval import SignedTime
from agent.core.transaction import Signer
from agent.ports import Carrier, Clock, Display, Ledger, NamedValues, Randomness, RefreshableTrustStore
from agent.tasks.announcements import Announcements
from agent.tasks.carriers import Carriers
from agent.tasks.commands import CommandQueue, Commands, Doing, Done
from agent.tasks.delivery import Delivery, Identity
from agent.tasks.heartbeat import Heartbeat
from agent.tasks.succession import Succession

Said = Callable[[], Awaitable[dict[str, object]]]
"""Returns what GET /v1/status says."""


@dataclass(frozen=True, slots=True)
class Reload:
    """fault: reads the configuration file again and says what is wrong with it, or None; begin: stops in order."""

    fault: Callable[[], str | None]
    begin: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the link is made of besides the configuration. announced: wakes the trust task. reload: None: cannot be."""

    signer: Signer
    ledger: Ledger
    history: History
    store: RefreshableTrustStore
    values: NamedValues
    console: Display
    clock: Clock
    randomness: Randomness
    signed_time: SignedTime
    announced: asyncio.Event
    said: Said
    reload: Reload | None


@dataclass(frozen=True, slots=True)
class PlatformLink:
    """What the rest of the agent needs of the link."""

    carriers: Carriers
    mqtt: MqttUplink | None
    succession: Succession
    commands: Commands
    heartbeat: Heartbeat
    announcements: Announcements

    def tasks(self) -> dict[str, Coroutine[None, None, None]]:
        """Return the tasks of the link by name."""
        tasks = {
            "delivery": self.succession.run(),
            "carriers": self.carriers.run(),
            "commands": self.commands.run(),
            "heartbeat": self.heartbeat.run(),
        }
        if self.mqtt is not None:
            tasks["mqtt"] = self.mqtt.run()
            tasks["announcements"] = self.announcements.run()
        return tasks


async def open_link(stack: AsyncExitStack, config: Config, parts: Parts) -> PlatformLink | None:
    """Return the link that the configuration describes; None where it names no platform."""
    identity = Identity(config.terminal.id, config.terminal.site, f"scanward/{__version__}")
    queue, due, announcements = CommandQueue(), asyncio.Event(), Announcements(parts.store, parts.announced)
    linked, will = asyncio.Event(), LastWill(identity, parts.signer, parts.clock)

    def lost() -> None:
        if mqtt is not None:
            carriers.lost(mqtt)

    events = Events(queue.offer, announcements.offer, partial(_set, due, linked), lost)
    mqtt = build_mqtt(config, identity, parts.randomness, will, events)
    found: list[Carrier] = [] if mqtt is None else [mqtt]
    if config.uplink.http is not None:
        found.append(await stack.enter_async_context(HttpUplink(config.uplink.http, identity.terminal)))
    if not found:
        return None
    carriers = Carriers(found, display=parts.console, settings=config.carriers)
    succession = build_succession(config, identity, parts, carriers, queue, linked)
    carriers.greet_soon = succession.greet_soon
    commands = Commands(
        queue,
        terminal=identity.terminal,
        signer=parts.signer,
        uplink=carriers,
        trust_store=parts.store,
        values=parts.values,
        display=parts.console,
        clock=parts.clock,
        doings=doings_of(identity, parts),
    )
    heartbeat = Heartbeat(
        terminal=identity.terminal,
        site=identity.site,
        software=identity.software,
        signer=parts.signer,
        uplink=carriers,
        clock=parts.clock,
        said=parts.said,
        changing=changing_of,
        due=due,
        settings=config.heartbeat,
        connected_at_ms=lambda: will.signed_at_ms if carriers.in_use is mqtt else None,
    )
    return PlatformLink(carriers, mqtt, succession, commands, heartbeat, announcements)


def build_succession(
    config: Config, identity: Identity, parts: Parts, carriers: Carriers, commands: CommandQueue, linked: asyncio.Event
) -> Succession:
    """Return what delivers ledger after ledger. linked: set when a link to the platform stands."""
    new_delivery = partial(
        Delivery,
        ledger=parts.ledger,
        uplink=carriers,
        trust_store=parts.store,
        identity=identity,
        history=parts.history,
        display=parts.console,
        clock=parts.clock,
        randomness=parts.randomness,
        signed_time=parts.signed_time,
        settings=config.delivery,
        commands=commands,
        linked=linked,
    )
    return Succession(ledger=parts.ledger, history=parts.history, display=parts.console, new_delivery=new_delivery)


class LastWill:
    """Signs the status "lost" for each connection to a broker. signed_at_ms: the last time it did."""

    def __init__(self, identity: Identity, signer: Signer, clock: Clock) -> None:
        self._identity = identity
        self._signer = signer
        self._clock = clock
        self.signed_at_ms: int | None = None

    def sign(self) -> bytes:
        """Return the will of the connection that is about to be made."""
        self.signed_at_ms = at_ms = self._clock.now().now.earliest_ms
        who = self._identity
        return encode_status(self._signer, who.terminal, who.site, State.LOST, at_ms, who.software, {}, at_ms)


def build_mqtt(
    config: Config, identity: Identity, randomness: Randomness, will: LastWill, events: Events
) -> MqttUplink | None:
    """Return the uplink over a broker, with its last will; None where none is configured."""
    if config.uplink.mqtt is None:
        return None
    return MqttUplink(
        config.uplink.mqtt,
        identity.terminal,
        identity.site,
        last_will=will.sign,
        events=events,
        randomness=randomness,
    )


def doings_of(identity: Identity, parts: Parts) -> dict[str, Doing]:
    """Return what this terminal does for each kind of command (docs/protocol/command.cddl)."""

    async def refresh_trust() -> Done:
        parts.announced.set()
        return Done(Outcome.DONE, "the trust list is fetched now")

    async def diagnostics() -> Done:
        return Done(Outcome.DONE, as_text(await parts.said(), TEXT_BYTES_MAX))

    async def identify() -> Done:
        await parts.console.notice("identify", f"this is terminal {identity.terminal} of site {identity.site}")
        return Done(Outcome.DONE, "shown on the screen")

    async def reload() -> Done:
        if parts.reload is None:
            return Done(Outcome.FAILED, "this agent was not started from a configuration file")
        if (fault := parts.reload.fault()) is not None:
            return Done(Outcome.FAILED, f"the configuration file was not taken: {fault}")
        return Done(Outcome.DONE, "the configuration file is right; the agent starts anew", then=parts.reload.begin)

    return {"refresh-trust": refresh_trust, "diagnostics": diagnostics, "identify": identify, "reload": reload}


def changing_of(said: Mapping[str, object]) -> object:
    """Return the part of the status whose change the platform should hear of at once; ages and counts are not."""
    uplink, trust, scanners = said.get("uplink"), said.get("trust"), said.get("scanners")
    return (
        {name: uplink.get(name) for name in ("carrier", "is_up")} if isinstance(uplink, dict) else None,
        {name: trust.get(name) for name in ("version", "freshness")} if isinstance(trust, dict) else None,
        [(s.get("id"), s.get("presence")) for s in scanners if isinstance(s, dict)]
        if isinstance(scanners, list)
        else None,
    )


def _set(*events: asyncio.Event) -> None:
    for event in events:
        event.set()
