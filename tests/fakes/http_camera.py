"""A network camera on loopback: HTTP with motion JPEG, or whatever else it is told to answer."""

import base64
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpCamera:
    """Serves what `parts` yields as multipart/x-mixed-replace, then closes. status, kind: answered instead."""

    def __init__(
        self, parts: Callable[[], Any], *, status: int = 200, kind: str = "multipart/x-mixed-replace;boundary=b",
        password: bytes | None = None, is_chunked: bool = False,
    ) -> None:  # fmt: skip
        camera = self
        self.requests = list[str]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                camera.requests.append(self.path)
                given = self.headers.get("Authorization", "")
                wanted = password and f"Basic {base64.b64encode(password).decode()}"
                self.send_response(401 if wanted and given != wanted else status)
                self.send_header("Content-Type", kind)
                self.send_header("Transfer-Encoding", "chunked") if is_chunked else None
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                if status != 200 or (wanted and given != wanted):
                    return
                try:
                    for part in parts():
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
                    if is_chunked:
                        self.wfile.write(b"0\r\n\r\n")
                except OSError:  # whoever looked has gone
                    pass

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/stream?channel=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def part_of(jpeg: bytes, *, has_length: bool = True) -> bytes:
    length = b"Content-Length: %d\r\n" % len(jpeg) if has_length else b""
    return b"--b\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + jpeg + b"\r\n"
