"""One connection to an MQTT broker by aiomqtt, from CONNECT to the end of the link, which ends everything in it.

The law: the broker's acknowledgement proves nothing and nobody waits for it in order to go on; a broker that gives none
is hung up on. What messages mean is for mqtt.py.
"""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import aiomqtt

log = logging.getLogger(__name__)

UNACKNOWLEDGED_MAX = 32  # messages out without the broker's acknowledgement: a window is 8, then the link is given up
INCOMING_BYTES_MAX = 1_048_576  # of one message: four times any that counts. MQTT 3.1.1 itself allows 256 MB
INCOMING_MAX = 64  # messages in that wait to be looked at; receipts for a window are 8
GOODBYE_S_MAX = 1.0
NO_WAIT_S = 0.01
REFUSED = 0x80  # SUBACK return code (MQTT 3.1.1 §3.9.3)
SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)  # Nagle and delayed ACK cost 40 ms a batch

_T = TypeVar("_T")


class LinkLost(Exception):
    """There is no link, or no longer one; the message says why, for people."""


class Connection:
    """One connection, used once: `open`, `subscribe`, then `run` until it ends, then `close`."""

    def __init__(self, client: aiomqtt.Client, *, connect_timeout_s: float) -> None:
        self._client = client
        self._client.pending_calls_threshold = UNACKNOWLEDGED_MAX
        # The thread that connects blocks in the kernel for this long; aiomqtt has no setting for it.
        self._client._client.connect_timeout = connect_timeout_s  # noqa: SLF001
        self._lost_early = client._disconnected  # noqa: SLF001 - aiomqtt puts another in its place once connected
        self._group: asyncio.TaskGroup | None = None
        self._out = set[asyncio.Task[None]]()
        self._is_opened = False
        self._closed = asyncio.Event()
        self._ended = asyncio.Event()
        self._why = "the connection to the broker broke"
        self._watch_socket()
        self._bound_messages()

    async def open(self) -> None:
        """Connect. Raises LinkLost."""
        try:
            await self._while_linked(self._client.__aenter__())
        except (aiomqtt.MqttError, ValueError) as error:  # ValueError: of the ssl module, about names
            raise LinkLost(f"no connection to the broker: {error}") from error
        if self._lost_early.done():  # behind the broker's yes, before aiomqtt had heard it
            raise LinkLost("the broker closed the connection")

    async def subscribe(self, filters: Sequence[str]) -> list[str]:
        """Subscribe at QoS 1; return the filters that the broker refuses. Raises LinkLost."""
        try:
            granted = await self._while_linked(self._client.subscribe([(filter_, 1) for filter_ in filters]))
        except aiomqtt.MqttError as error:
            raise LinkLost(f"the broker answers no subscription: {error}") from error
        codes = [code if isinstance(code, int) else code.value for code in granted]
        if len(codes) != len(filters):
            raise LinkLost(f"the broker answers {len(filters)} subscriptions with {len(codes)} codes")
        return [filter_ for filter_, code in zip(filters, codes, strict=True) if code >= REFUSED]

    async def _while_linked(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Await a call of aiomqtt's, which by itself would wait out its time-out on a link that is gone.

        Raises LinkLost. aiomqtt connects in a thread, which cannot be stopped and may take a minute to look a name up:
        who is cancelled meanwhile waits a moment for it, then leaves it alone.
        """
        loop = asyncio.get_running_loop()
        task, closing = loop.create_task(call), loop.create_task(self._closed.wait())
        try:
            await asyncio.wait({task, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise LinkLost("the broker closed the connection")
            return task.result()
        finally:
            closing.cancel()
            if self._is_opened:
                task.cancel()
            else:
                self._client.timeout = NO_WAIT_S  # for the broker's answer, once the thread is done
                await asyncio.wait({task}, timeout=GOODBYE_S_MAX)
                task.cancel()
            with contextlib.suppress(aiomqtt.MqttError, ValueError, asyncio.CancelledError):
                await task

    def _watch_socket(self) -> None:
        """Hear of the socket's opening and closing, which aiomqtt does not pass on before it is connected."""
        loop, paho = asyncio.get_running_loop(), self._client._client  # noqa: SLF001
        on_open, on_close = paho.on_socket_open, paho.on_socket_close

        def opened(*args: Any) -> None:  # in the thread that connects
            if on_open is not None:
                on_open(*args)
            self._is_opened = True

        def closed(*args: Any) -> None:
            if on_close is not None:
                on_close(*args)
            loop.call_soon_threadsafe(self._closed.set)

        def writing(*args: Any) -> None:
            # aiomqtt notes the descriptor now and watches it later: by then a cut may have closed it.
            def watch() -> None:
                if (descriptor := args[-1].fileno()) != -1:
                    loop.add_writer(descriptor, write)

            loop.call_soon_threadsafe(watch)

        def write() -> None:  # as aiomqtt does
            try:
                paho.loop_write()
            except Exception as error:  # noqa: BLE001 - whatever it is, the link broke
                if not (ended := self._client._disconnected).done():  # noqa: SLF001
                    ended.set_exception(error)

        paho.on_socket_open, paho.on_socket_close, paho.on_socket_register_write = opened, closed, writing

    def _bound_messages(self) -> None:
        """End the link at a message that is too long, before any of it is read: paho would gather it whole."""
        paho = self._client._client  # noqa: SLF001
        receive = paho._sock_recv  # noqa: SLF001

        def bounded(bytes_max: int) -> bytes:
            if bytes_max > INCOMING_BYTES_MAX:
                self.end(f"the broker sends a message of more than {INCOMING_BYTES_MAX} bytes")
                raise ConnectionError(self._why)  # as if the connection broke
            return receive(bytes_max)

        paho._sock_recv = bounded  # type: ignore[assignment, method-assign] # noqa: SLF001

    async def run(self, take: Callable[[str, bytes], None], ready: Callable[[], None]) -> str:
        """Call `ready`, then `take` with the topic and payload of each message, until the link ends; return why."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                reading = group.create_task(self._read(take))
                ready()
                await self._ended.wait()
                reading.cancel()
            finally:
                self._group = None
                for task in self._out:
                    task.cancel()
        return self._why

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Task[None]:
        """Send at QoS 1; return a task that ends with the broker's acknowledgement or the link. Raises LinkLost."""
        if self._group is None or self._ended.is_set():
            raise LinkLost(self._why)
        if len(self._out) >= UNACKNOWLEDGED_MAX:
            self.end(f"the broker has not acknowledged the last {UNACKNOWLEDGED_MAX} messages")
            raise LinkLost(self._why)
        task = self._group.create_task(self._publish(topic, payload, retain))
        self._out.add(task)
        task.add_done_callback(self._out.discard)
        return task

    def end(self, why: str) -> None:
        """End the link."""
        if not self._ended.is_set():
            self._why = why
            self._ended.set()

    async def close(self, *, in_order: bool) -> None:
        """Hang up; in_order: with a DISCONNECT, so that the broker does not publish the last will."""
        try:
            if in_order:
                async with asyncio.timeout(GOODBYE_S_MAX):
                    await self._client.__aexit__(None, None, None)
        except (aiomqtt.MqttError, TimeoutError):
            log.debug("the broker did not take the goodbye")
        finally:
            # aiomqtt leaves the socket open after a connection that failed half-way or broke while reading.
            self._client._client._sock_close()  # noqa: SLF001
            for ended in (self._lost_early, self._client._disconnected):  # noqa: SLF001
                if ended.done() and not ended.cancelled():
                    ended.exception()  # asyncio would call it an error that nobody asked

    async def _read(self, take: Callable[[str, bytes], None]) -> None:
        try:
            async for message in self._client.messages:
                if isinstance(message.payload, bytes | bytearray):
                    take(str(message.topic), bytes(message.payload))
        except aiomqtt.MqttError as error:
            self.end(f"the connection to the broker broke: {error.__cause__ or error}")

    async def _publish(self, topic: str, payload: bytes, retain: bool) -> None:
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain, timeout=math.inf)
        except aiomqtt.MqttError as error:
            self.end(f"the connection to the broker broke: {error}")
