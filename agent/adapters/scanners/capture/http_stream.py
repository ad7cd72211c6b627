"""A network camera's motion JPEG over HTTP (multipart/x-mixed-replace), read by a thread that keeps the newest alone.

The law: no time without a limit, no part without one; a password goes over TLS or loopback only. Heads between the
pictures are passed over: cameras write them in many ways, and a JPEG says itself where it ends.
"""

import base64
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from agent.adapters.scanners.capture.mjpeg import JpegSplitter
from agent.adapters.scanners.capture.picture import JPEG, Counts, Picture
from agent.adapters.scanners.lookout import DeviceAbsent

TIMEOUT_S = 5.0  # to connect, and between two reads
ANSWER_S_MAX = 15.0  # from the request to the end of the answer's head, however steadily it trickles
READ_BYTES = 65_536
PASSWORD_BYTES_MAX = 1_024
_STREAMS = ("multipart/", "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg")


@dataclass(frozen=True, slots=True)
class Access:
    """How a camera lets one in. password_file: first line; ca_file: a private authority's certificates."""

    user: str | None = None
    password_file: str | None = None
    ca_file: str | None = None


class HttpStreamSource:
    """One network camera, for one opening."""

    is_live = True

    def __init__(self, url: str, access: Access, counts: Counts) -> None:
        self._url = url
        self._access = access
        self._socket: socket.socket | None = None
        self._changed = threading.Condition()
        self._newest: bytes | None = None
        self._why_ended: str | None = None
        self._is_woken = False
        self._counts = counts

    def open(self) -> str:
        """Connect and begin to read. Raises DeviceAbsent."""
        parts = urlsplit(self._url)
        shown = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold what only the camera should know
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            connection = self._connection(parts.hostname or "", parts.port, is_safe=parts.scheme == "https")
        except (OSError, ValueError) as error:
            raise DeviceAbsent(f"{shown} cannot be reached ({_what(error)}): correct ca_file") from error
        try:
            connection.request("GET", target, headers=self._headers())
            self._socket = connection.sock  # the response takes it over where the camera closes behind it
            response = self._answer(connection)
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise DeviceAbsent(f"{shown} cannot be reached ({_what(error)}): look at the camera and its net") from error
        if (refusal := _refusal(response)) is not None:
            response.close()
            connection.close()
            raise DeviceAbsent(f"{shown} {refusal}")
        threading.Thread(target=self._read, args=(response, shown), name="http-stream", daemon=True).start()
        return f"{shown}: motion JPEG"

    def _answer(self, connection: HTTPConnection) -> HTTPResponse:
        """Return the answer once its head is whole. Raises OSError, HTTPException."""
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            self._hang_up()

        timer = threading.Timer(ANSWER_S_MAX, give_up)
        timer.daemon = True
        timer.start()
        try:
            response = connection.getresponse()
        except (OSError, HTTPException, ValueError):
            if is_late.is_set():
                raise TimeoutError(0, f"no whole answer for {ANSWER_S_MAX:g} s") from None
            raise
        finally:
            timer.cancel()
        if is_late.is_set():  # half a head may look like a whole one
            response.close()
            raise TimeoutError(0, f"no whole answer for {ANSWER_S_MAX:g} s")
        return response

    def next(self, timeout_s: float) -> Picture | None:
        """Return the newest picture. Raises DeviceAbsent where the stream ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._why_ended or self._is_woken, timeout_s)
            newest, self._newest = self._newest, None
            if newest is not None:
                return Picture(memoryview(newest), JPEG)
            if self._why_ended is not None and not self._is_woken:  # an end of our own is no trouble of the camera's
                raise DeviceAbsent(self._why_ended)
            return None

    def close(self) -> None:
        """Hang up; the reading thread ends with the connection."""
        self.wake()

    def wake(self) -> None:
        """Hang up, and have `next` return."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            # An SSLSocket's own shutdown would pull TLS from under the reading thread.
            with suppress(OSError):  # it was closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _connection(self, host: str, port: int | None, *, is_safe: bool) -> HTTPConnection:
        if not is_safe:
            return HTTPConnection(host, port, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=self._access.ca_file)
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)

    def _headers(self) -> dict[str, str]:
        """Return the request's headers. Raises OSError."""
        headers = {"Accept": "multipart/x-mixed-replace", "User-Agent": "scanward"}
        if self._access.user is not None and self._access.password_file is not None:
            with Path(self._access.password_file).open("rb") as file:
                password = file.read(PASSWORD_BYTES_MAX).splitlines()
            said = self._access.user.encode() + b":" + (password[0] if password else b"")
            headers["Authorization"] = f"Basic {base64.b64encode(said).decode()}"
        return headers

    def _read(self, response: HTTPResponse, shown: str) -> None:
        """Read for as long as there is something; runs in a thread of its own."""
        splitter = JpegSplitter()
        why = f"{shown} ended its stream: look at the camera"
        try:
            while not self._is_woken and (data := response.read1(READ_BYTES)):
                broken = splitter.broken
                whole = splitter.feed(data)
                self._keep(whole, splitter.broken - broken)
        except (OSError, HTTPException, ValueError) as error:
            why = f"{shown} was lost ({_what(error)}): look at the camera and its net"
        finally:
            response.close()
            with self._changed:
                self._why_ended = why
                self._changed.notify_all()

    def _keep(self, whole: list[bytes], broken: int) -> None:
        with self._changed:
            self._counts.broken += broken
            if whole:
                self._counts.dropped += len(whole) - 1 + (self._newest is not None)
                self._newest = whole[-1]
                self._changed.notify_all()


def _refusal(response: HTTPResponse) -> str | None:
    """Say why this is no stream and what to do, or None."""
    kind = (response.getheader("Content-Type") or "").lower()
    if response.status in {401, 403}:
        return f"does not let us in ({response.status}): set user and password_file"
    if response.status != 200:
        return f"answers {response.status}: set path to the camera's MJPEG address"
    return None if kind.startswith(_STREAMS) else f"gives {kind[:64]!a}: set path to the camera's MJPEG address"


def _what(error: Exception) -> str:
    """Say what went wrong without what was sent or received."""
    if isinstance(error, TimeoutError):
        return error.strerror or f"nothing for {TIMEOUT_S:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
