"""The native protocol over MQTT 3.1.1 (docs/protocol): requests at QoS 1, answers told apart by the id inside them.

The law: only an answer that names the request ends it well; the broker's acknowledgement never does, and when the link
drops every request in flight fails at once. Whether an answer is genuine is not decided here: a third party on the
broker can delay, not forge.
"""

import asyncio
import itertools
import logging
import math
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import msgspec

from agent.adapters.uplinks.mqtt_connection import (
    INCOMING_MAX,
    SOCKET_OPTIONS,
    UNACKNOWLEDGED_MAX,
    Connection,
    LinkLost,
)
from agent.adapters.uplinks.statuses import trouble_of
from agent.adapters.uplinks.urls import Schemes, url_fault
from agent.core.answers import id_of_hello_answer, id_of_receipt, id_of_request, printable, read_problem
from agent.core.backoff import Backoff
from agent.core.commands import COMMAND_BYTES_MAX
from agent.ports import CarrierDown, LinkBroke, PlatformUnreachable, Randomness

log = logging.getLogger(__name__)
_of_aiomqtt = logging.getLogger(f"{__name__}.aiomqtt")
_of_aiomqtt.setLevel(logging.CRITICAL)  # it calls each cut an error; what matters is told here, once

SCHEMES = Schemes(tls="mqtts", clear="mqtt")
PORTS = {"mqtts": 8883, "mqtt": 1883}
PASSWORD_BYTES_MAX = 1_024
TRUST_TOPIC = "scanward/1/trust"
TRUST_BYTES_MAX = 16_384
RECONNECT_DELAY_S_FIRST = 0.1
RECONNECT_DELAY_S_MAX = 30.0
BROKEN_DELAY_S_MAX = 0.05  # after a link that stood: a cut is followed by a new connection at once, or nearly so
SERVED_S_MIN = 5.0  # a link served if an answer came by it, or it stood this long
UNSERVING_MAX = 20  # links in a row that did not: two terminals of one name, each of which ends the other's
HELLO_AGAIN_S_FIRST = 0.5  # doubles; a hello is 300 bytes, and its second answer is dropped
RECEIPT_S_MAX = 300.0
CONNECTING_S_MAX = 1.0  # how long a request waits for a connection that is being made, if the last one was not refused


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[uplink.mqtt]. url: of the broker, mqtts unless it is loopback. username: left out, the terminal's id.

    password_file, ca_file, certificate_file, key_file: secrets and certificates are files.
    """

    url: str
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    keep_alive_s: int = 30
    connect_timeout_s: float = 5.0
    receipt_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if fault := url_fault(self.url, SCHEMES, has_path=False):
            raise ValueError(fault)
        if self.username is not None and not (1 <= len(self.username) <= 256 and self.username.isprintable()):
            raise ValueError("username must have 1 to 256 printable characters")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: give both or neither")
        if not 5 <= self.keep_alive_s <= 3_600:
            raise ValueError("keep_alive_s must lie in [5, 3600]")
        # also false for nan
        if not (0.01 <= self.connect_timeout_s <= 60 and 0.01 <= self.receipt_timeout_s <= RECEIPT_S_MAX):
            raise ValueError("connect_timeout_s must lie in [0.01, 60], receipt_timeout_s in [0.01, 300]")

    def files(self) -> dict[str, str | None]:
        """Return the files these settings name, by setting."""
        names = ("password_file", "ca_file", "certificate_file", "key_file")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Events:
    """Whom the uplink tells of what comes unasked. Called in the loop, must not block.

    command: a signed command, unverified; trust: a TUF timestamp, unverified; connected: a link stands, subscribed;
    lost: it no longer does.
    """

    command: Callable[[bytes], None]
    trust: Callable[[bytes], None]
    connected: Callable[[], None]
    lost: Callable[[], None] = lambda: None


class MqttUplink:
    """One platform over a broker. `run` owns the connection; requests fail while there is none.

    last_will: makes the signed status that the broker publishes if the link breaks.
    """

    name = "platform"  # of its cursor: the platform's, whatever carries the bytes
    kind = "mqtt"

    def __init__(
        self,
        settings: Settings,
        terminal: str,
        site: str,
        *,
        last_will: Callable[[], bytes],
        events: Events,
        randomness: Randomness,
    ) -> None:
        self._settings = settings
        self._terminal = terminal
        self._client_id = f"scanward-{site}-{terminal}"  # the same each time: the broker ends a link that hangs
        self._base = f"scanward/1/{site}/{terminal}"
        self._last_will = last_will
        self._events = events
        self._randomness = randomness
        self._waiting = dict[bytes, list[asyncio.Future[bytes]]]()  # by the id of the request, which may be made twice
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._linked_at_s: float | None = None
        self._has_served = False  # an answer came by this link
        self._why = ""  # there is no link; empty while one is expected any moment
        self.dropped = Counter[str]()  # messages nobody waited for, by what was wrong with them

    @property
    def is_connected(self) -> bool:
        """Say whether a link stands."""
        return self._connection is not None

    async def run(self) -> None:
        """Keep a link to the broker for ever."""
        first_s = RECONNECT_DELAY_S_FIRST
        refused = Backoff(first_s=first_s, delay_s_max=RECONNECT_DELAY_S_MAX, stable_s=0)
        broken = Backoff(first_s=first_s, delay_s_max=BROKEN_DELAY_S_MAX, stable_s=SERVED_S_MIN)
        told, unserving = "", 0
        while True:
            self._linked_at_s, self._has_served = None, False
            try:
                why = await self._keep_link()
            except LinkLost as error:
                why = str(error)
            at_s = _now_s()
            unserving = 0 if self._has_served or self._stood_s(at_s) >= SERVED_S_MIN else unserving + 1
            if self._linked_at_s is not None and unserving <= UNSERVING_MAX:
                refused.succeeded(at_s)
                broken.succeeded(self._linked_at_s)
                self._why, backoff = "", broken
            else:
                self._why, backoff = why, refused
            if why != told:
                told = why
                log.warning("no link to the broker", extra={"uplink": self.kind, "why": printable(why)})
            await asyncio.sleep(backoff.delay_s(at_s, self._randomness.uniform()))

    def _stood_s(self, now_s: float) -> float:
        return 0.0 if self._linked_at_s is None else now_s - self._linked_at_s

    async def _keep_link(self) -> str:
        """Connect, and serve the link until it ends; return why it did. Raises LinkLost where it never stood."""
        connection = Connection(self._client(), connect_timeout_s=self._settings.connect_timeout_s)
        is_in_order = False

        def ready() -> None:
            self._linked_at_s = _now_s()
            self._connection = connection
            self._connected.set()
            self._events.connected()
            log.info("linked to the broker", extra={"uplink": self.kind})

        try:
            await connection.open()
            # Not "down/#", which also means "down" itself: NATS refuses that to who may read what is below it.
            refused = await connection.subscribe([f"{self._base}/down/+", TRUST_TOPIC])
            if f"{self._base}/down/+" in refused:
                raise LinkLost(f"the broker does not let this terminal read {self._base}/down/#: check its access list")
            if refused:
                log.warning("the broker announces no trust lists to this terminal", extra={"topic": TRUST_TOPIC})
            return await connection.run(self._take, ready)
        except asyncio.CancelledError:
            is_in_order = True
            raise
        finally:
            has_stood, self._connection = self._connection is not None, None
            self._connected.clear()
            self._fail_all()
            if has_stood and not is_in_order:
                self._events.lost()
            await connection.close(in_order=is_in_order)

    def _client(self) -> aiomqtt.Client:
        """Return a client for one connection. Raises LinkLost where a file it needs cannot be used."""
        settings, parts = self._settings, urlsplit(self._settings.url)
        return aiomqtt.Client(
            parts.hostname or "",
            parts.port or PORTS[parts.scheme],
            username=settings.username or self._terminal,
            password=_password(settings.password_file),
            logger=_of_aiomqtt,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            will=aiomqtt.Will(f"{self._base}/up/status", self._last_will(), qos=1, retain=True),
            clean_session=True,
            timeout=settings.connect_timeout_s,
            keepalive=settings.keep_alive_s,
            max_queued_incoming_messages=INCOMING_MAX,
            max_inflight_messages=UNACKNOWLEDGED_MAX + 1,  # paho would hold further ones back without a word
            tls_context=_tls_context(settings) if parts.scheme == SCHEMES.tls else None,
            socket_options=SOCKET_OPTIONS,
        )

    async def hello(self, hello: bytes) -> bytes:
        """Publish a hello, again while nothing comes back; return its answer (ports.Uplink).

        After a broker's restart the platform may be back there later than the terminal: the first hello is lost then.
        """
        return await self._request("hello", hello, again_s=HELLO_AGAIN_S_FIRST)

    async def send(self, batch: bytes) -> bytes:
        """Publish a batch; return its receipt (ports.Uplink)."""
        return await self._request("batch", batch)

    def distrust(self, answer: bytes) -> None:
        """Do nothing: there is no other way here (ports.Uplink)."""

    async def tell_status(self, status: bytes) -> None:
        """Publish a status, retained; return once the broker has it (ports.Uplink)."""
        await self._tell("status", status, retain=True)

    async def tell_answer(self, answer: bytes) -> None:
        """Publish the answer to a command; return once the broker has it (ports.Uplink)."""
        await self._tell("answer", answer, retain=False)

    async def _request(self, topic: str, payload: bytes, *, again_s: float = math.inf) -> bytes:
        about = id_of_request(payload)
        if about is None:
            raise ValueError("a request without an id")
        connection = await self._link()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(about, []).append(answer)
        try:
            acknowledged = _publish(connection, f"{self._base}/up/{topic}", payload, retain=False)
            try:
                async with asyncio.timeout(self._settings.receipt_timeout_s):
                    while not (await asyncio.wait({answer}, timeout=min(again_s, RECEIPT_S_MAX)))[0]:
                        _publish(connection, f"{self._base}/up/{topic}", payload, retain=False)
                        again_s *= 2
                    return answer.result()
            except TimeoutError as error:
                raise self._unanswered(connection, is_taken=acknowledged.done()) from error
        finally:
            self._waiting[about].remove(answer)
            if not self._waiting[about]:
                del self._waiting[about]

    def _unanswered(self, connection: Connection, *, is_taken: bool) -> PlatformUnreachable:
        waited = f"within {self._settings.receipt_timeout_s:g} s"
        if is_taken:
            return PlatformUnreachable(
                f"the broker took the message, but no answer came {waited}: check that the platform reads from the "
                f"broker, and that the broker lets this terminal write {self._base}/up/# and read {self._base}/down/#"
            )
        connection.end(f"the broker acknowledged nothing {waited}")  # the link is dead, and nobody noticed
        return PlatformUnreachable(
            f"the broker neither acknowledged nor answered {waited}: check the link, and that the broker lets this "
            f"terminal write {self._base}/up/#"
        )

    async def _tell(self, topic: str, payload: bytes, *, retain: bool) -> None:
        connection = await self._link()
        acknowledged = _publish(connection, f"{self._base}/up/{topic}", payload, retain=retain)
        done, _ = await asyncio.wait({acknowledged}, timeout=self._settings.receipt_timeout_s)
        if not done or acknowledged.cancelled():
            raise PlatformUnreachable("the broker did not acknowledge it")

    async def _link(self) -> Connection:
        """Return the link that stands, or is about to. Raises CarrierDown."""
        if self._connection is None and not self._why:
            try:
                async with asyncio.timeout(CONNECTING_S_MAX):
                    await self._connected.wait()
            except TimeoutError:
                pass
        if self._connection is None:
            raise CarrierDown(self._why or "no connection to the broker yet")
        return self._connection

    def _take(self, topic: str, payload: bytes) -> None:
        """Take a message in; whatever it is, the link goes on."""
        if topic == TRUST_TOPIC:
            if len(payload) <= TRUST_BYTES_MAX:
                self._events.trust(payload)
            else:
                self._drop("oversize")
            return
        match topic.removeprefix(f"{self._base}/down/"):
            case "receipt":
                self._answer(id_of_receipt(payload), payload)
            case "hello":
                self._answer(id_of_hello_answer(payload), payload)
            case "problem":
                self._refuse(payload)
            case "command" if len(payload) <= COMMAND_BYTES_MAX:
                self._events.command(payload)
            case "command":
                self._drop("oversize")
            case _:
                self._drop("topic")

    def _answer(self, about: bytes | None, payload: bytes) -> None:
        for waiting in self._asked(about):
            self._has_served = True
            waiting.set_result(payload)

    def _refuse(self, payload: bytes) -> None:
        problem = read_problem(payload)
        for waiting in self._asked(None if problem is None else problem.about):
            if problem is not None:
                waiting.set_exception(trouble_of(problem.status, problem.reason))

    def _asked(self, about: bytes | None) -> list[asyncio.Future[bytes]]:
        """Return who waits for an answer about this; count what is nobody's: late, foreign, or garbage."""
        waiting = [] if about is None else [one for one in self._waiting.get(about, ()) if not one.done()]
        if not waiting:
            self._drop("garbage" if about is None else "unasked")
        return waiting

    def _drop(self, what: str) -> None:
        self.dropped[what] += 1
        if self.dropped[what] == 1:
            log.info("messages that nobody waits for are dropped", extra={"uplink": self.kind, "what": what})

    def _fail_all(self) -> None:
        """Let every request in flight fail at once: what it waits for would never come."""
        for waiting in itertools.chain.from_iterable(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(LinkBroke("the link to the broker broke before the answer came"))


def _publish(connection: Connection, topic: str, payload: bytes, *, retain: bool) -> asyncio.Task[None]:
    """Send, and return what ends with the broker's acknowledgement or the link. Raises CarrierDown."""
    try:
        return connection.publish(topic, payload, retain=retain)
    except LinkLost as error:
        raise CarrierDown(str(error)) from error


def _password(file: str | None) -> str | None:
    """Read the password: the file's first line. Raises LinkLost."""
    if file is None:
        return None
    try:
        with Path(file).open("rb") as opened:
            return opened.read(PASSWORD_BYTES_MAX).decode().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise LinkLost(f"the file of uplink.mqtt.password_file cannot be read: {type(error).__name__}") from error


def _tls_context(settings: Settings) -> ssl.SSLContext:
    """Return what the broker is checked by, and this terminal shows. Raises LinkLost."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise LinkLost(f"the certificates of uplink.mqtt cannot be used: {type(error).__name__}") from error
    return context


def _now_s() -> float:
    return asyncio.get_running_loop().time()
