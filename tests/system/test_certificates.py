"""The unit's SSL_CERT_FILE: authorities are found one by one in a directory, and what is not there is not trusted."""

import asyncio
import contextlib
import ctypes
import os
import ssl
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from demo.processes import service_environment

ROOT = Path(__file__).parents[2]
ANSWER_S_MAX = 30.0

ASK = """
import asyncio, sys
from agent.adapters.uplinks.http import HttpUplink, Settings
from agent.ports import PlatformUnreachable

async def ask():
    async with HttpUplink(Settings(url=sys.argv[1]), "kiosk-1") as uplink:
        try:
            return await uplink.hello(b"hello")
        except PlatformUnreachable as error:
            return error

print(asyncio.run(ask()))
"""


def authority(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate that vouches for itself, and a server's TLS context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context


def link_by_hash(certificate: Path, directory: Path) -> None:
    """Put a certificate where libcrypto looks for it: under the hash of its subject, as update-ca-certificates does."""
    lib = ctypes.CDLL("libcrypto.so.3")
    lib.d2i_X509.restype, lib.X509_subject_name_hash.restype = ctypes.c_void_p, ctypes.c_ulong
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    parsed = ctypes.c_void_p(lib.d2i_X509(None, ctypes.byref(ctypes.c_char_p(der)), ctypes.c_long(len(der))))
    directory.mkdir()
    (directory / f"{lib.X509_subject_name_hash(parsed):08x}.0").symlink_to(certificate)
    lib.X509_free(parsed)


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(body=b"genuine", content_type="application/cbor")

    app = web.Application()
    app.router.add_post("/v1/terminals/kiosk-1/hello", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(url: str, directory: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ASK, url, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, **service_environment(), "SSL_CERT_DIR": str(directory)},
    )  # fmt: skip
    async with asyncio.timeout(ANSWER_S_MAX):
        out, _ = await process.communicate()
    return out.decode().strip()


@pytest.mark.parametrize("linked", ["ours", "other"])
async def test_in_service_an_authority_is_found_in_the_directory_and_no_other_is_trusted(
    tmp_path: Path, linked: str
) -> None:
    assert service_environment()["SSL_CERT_FILE"] == "/dev/null"
    ours, context = authority(tmp_path, "ours")
    other, _ = authority(tmp_path, "other")
    link_by_hash(ours if linked == "ours" else other, tmp_path / "certs")
    async with serving(context) as url:
        said = await ask(url, tmp_path / "certs")
    assert said == (
        "b'genuine'" if linked == "ours" else "no connection to the platform: ClientConnectorCertificateError"
    )
