"""A small real TUF repository with keys in memory, served over HTTP on loopback; it can also lie and stall."""

import copy
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=90),
    "snapshot": timedelta(days=7),
    "timestamp": timedelta(days=1),
}

Answer = Callable[[BaseHTTPRequestHandler], None]


class TufRepository:
    """files: what is served, by path. answers: paths that are answered by a function instead. asked: the requests."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self.life = dict(LIFE)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.signers = {
            "root": [CryptoSigner.generate_ed25519() for _ in range(2)],
            "targets": [CryptoSigner.generate_ed25519() for _ in range(2)],
            "snapshot": [CryptoSigner.generate_ed25519()],
            "timestamp": [CryptoSigner.generate_ed25519()],
        }
        self.root = Root(expires=self._expiry("root"), consistent_snapshot=True)
        for role, signers in self.signers.items():
            for signer in signers:
                self.root.add_key(signer.public_key, role)
            self.root.roles[role].threshold = len(signers)
        self.targets = Targets(expires=self._expiry("targets"))
        self.snapshot = Snapshot(expires=self._expiry("snapshot"))
        self.timestamp = Timestamp(expires=self._expiry("timestamp"))
        for signed in (self.root, self.targets, self.snapshot, self.timestamp):
            signed.version = 0  # not issued yet
        self.publish_root()

    def _expiry(self, role: str) -> datetime:
        return self.at + self.life[role]

    def sign(self, role: str, signed: object, signers: list[CryptoSigner] | None = None) -> bytes:
        """Return signed metadata; `signers` instead of the role's own."""
        metadata = Metadata(copy.deepcopy(signed))
        for signer in self.signers[role] if signers is None else signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def publish_root(self, also: list[CryptoSigner] | None = None) -> bytes:
        """Issue the next root, signed with its own keys and with `also` (those it replaces)."""
        self.root.version += 1
        self.root.expires = self._expiry("root")
        data = self.sign("root", self.root, [*self.signers["root"], *(also or [])])
        self.files[f"{self.root.version}.root.json"] = data
        return data

    def rotate(self, role: str) -> None:
        """Replace a role's keys by new ones in a new root."""
        old = self.signers[role]
        new = [CryptoSigner.generate_ed25519() for _ in old]
        for signer in old:
            self.root.revoke_key(signer.public_key.keyid, role)
        for signer in new:
            self.root.add_key(signer.public_key, role)
        self.signers[role] = new
        self.publish_root(also=old if role == "root" else None)

    def publish(self, content: Mapping[str, bytes] | None = None) -> None:
        """Issue new targets (if given), and the snapshot and timestamp that go with them."""
        if content is not None:
            self.targets.version += 1
            self.targets.expires = self._expiry("targets")
            self.targets.targets = {}
            for name, data in content.items():
                info = TargetFile.from_data(name, data, ["sha256"])
                self.targets.targets[name] = info
                self.files[f"targets/{info.hashes['sha256']}.{name}"] = data
            self.files[f"{self.targets.version}.targets.json"] = self.sign("targets", self.targets)
        self.snapshot.version += 1
        self.snapshot.expires = self._expiry("snapshot")
        self.snapshot.meta["targets.json"] = MetaFile(self.targets.version)
        self.files[f"{self.snapshot.version}.snapshot.json"] = self.sign("snapshot", self.snapshot)
        self.publish_timestamp()

    def publish_timestamp(self) -> None:
        """Issue a new timestamp for the snapshot of now."""
        self.timestamp.version += 1
        self.timestamp.expires = self._expiry("timestamp")
        self.timestamp.snapshot_meta = MetaFile(self.snapshot.version)
        self.files["timestamp.json"] = self.sign("timestamp", self.timestamp)

    def target_path(self, name: str) -> str:
        """Return where a target is served."""
        return f"targets/{self.targets.targets[name].hashes['sha256']}.{name}"

    @contextmanager
    def served(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve on a free port of loopback; yield the URL."""
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.lstrip("/").removeprefix("metadata/")
                repository.asked.append(path)
                try:
                    if path in repository.answers:
                        repository.answers[path](self)
                    elif path in repository.files:
                        answer(self, repository.files[path])
                    else:
                        self.send_error(404)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client has had enough

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def answer(handler: BaseHTTPRequestHandler, data: bytes, *, length: int | None = None) -> None:
    """Answer with 200; `length`: what the header says instead of the truth."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


def answer_without_end(handler: BaseHTTPRequestHandler) -> None:
    """Send data until the client closes the connection."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"\x00" * 65_536)
