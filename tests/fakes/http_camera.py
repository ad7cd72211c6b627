"""A network camera on loopback: HTTP with motion JPEG, or whatever else it is told to answer."""

import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class HttpCamera:
    """Serves what `parts` yields as multipart/x-mixed-replace, then closes. status, kind: answered instead."""

    def __init__(
        self, parts: Callable[[], Any], *, status: int = 200, kind: str = "multipart/x-mixed-replace;boundary=b",
        password: bytes | None = None, is_chunked: bool = False,
        tls: ssl.SSLContext | None = None,
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

            def handle_error(self, *_: object) -> None: ...  # whoever does not trust us hangs up

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}/stream?channel=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def part_of(jpeg: bytes, *, has_length: bool = True) -> bytes:
    length = b"Content-Length: %d\r\n" % len(jpeg) if has_length else b""
    return b"--b\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + jpeg + b"\r\n"


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the certificate of a camera at 127.0.0.1, signed by itself, and what it serves with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "camera.pem", folder / "camera.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    return certificate, context
