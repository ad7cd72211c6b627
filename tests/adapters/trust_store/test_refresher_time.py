"""Time is ours, not the OS clock's; what has expired is published with its true expiry, never under an expired root."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tuf.api.exceptions import ExpiredMetadataError

from agent.adapters.keys.verification import build_key
from agent.adapters.trust_store.bundle import parse_content
from agent.adapters.trust_store.refresher import Source, _Http, open_updater, refresh
from agent.core.time_interval import Interval
from agent.core.trust_list import Freshness, Trust
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle
from fakes.trust_content import content
from fakes.tuf_repository import LIFE, START, TufRepository, answer


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("issued", "judged", "is_expired"),
    [
        (datetime(1990, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, 1, tzinfo=UTC), False),  # long past, by the OS clock
        (datetime(2090, 1, 1, tzinfo=UTC), datetime(2090, 1, 3, tzinfo=UTC), True),  # not yet, by the OS clock
    ],
)
def test_python_tuf_judges_expiry_at_the_time_we_set(tmp_path, issued, judged, is_expired):
    repository = TufRepository(issued)
    repository.publish(content())
    with repository.served() as url:
        updater = open_updater(tmp_path, repository.files["1.root.json"], url, _Http(url, None), judged)
        if is_expired:
            with pytest.raises(ExpiredMetadataError):
                updater.refresh()
        else:
            updater.refresh()
            assert updater.get_targetinfo("policy.toml") is not None


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_past_its_expiry_is_published_with_its_true_expiry(terminal, repository, role):
    expired_at = START - timedelta(days=2)
    repository.life[role] = expired_at - START
    repository.publish(content(2))
    assert terminal.refreshed().expires_at_ms == ms(expired_at)
    assert terminal.refreshed(offline=True).expires_at_ms == ms(expired_at)


def test_a_frozen_repository_ages_on_the_ladder_and_is_not_refused(terminal):
    first = terminal.refreshed()
    for days in (2, 30, 200):
        terminal.at = START + timedelta(days=days)
        assert terminal.refreshed() == first


def test_the_expiry_reported_is_the_first_of_all_roles(terminal, repository):
    repository.root.expires = START + timedelta(hours=3)
    repository.files["2.root.json"] = _signed_root(repository)
    assert terminal.refreshed().expires_at_ms == ms(START + timedelta(hours=3))


def _signed_root(repository: TufRepository) -> bytes:
    repository.root.version += 1
    return repository.sign("root", repository.root)


@pytest.mark.parametrize("timestamp_is_fresh", [True, False])
def test_nothing_is_taken_under_an_expired_root(terminal, repository, timestamp_is_fresh):
    terminal.refreshed()
    terminal.at = START + LIFE["root"] + timedelta(seconds=1)
    if timestamp_is_fresh:
        repository.at = terminal.at
    repository.publish(content(2))
    assert terminal.refused() == "root-expired"
    assert terminal.refused(offline=True) == "root-expired"


def test_under_an_expired_root_nothing_is_even_remembered(terminal, repository):
    """Keys that a newer root took away could otherwise still run the versions up."""
    terminal.refreshed()
    remembered = (terminal.directory / "metadata" / "timestamp.json").read_bytes()
    terminal.at = START + LIFE["root"] + timedelta(seconds=1)
    repository.timestamp.version = 2**40
    repository.publish_timestamp()
    assert terminal.refused() == "root-expired"
    assert (terminal.directory / "metadata" / "timestamp.json").read_bytes() == remembered


def test_an_expired_root_that_appears_in_the_middle_is_refused_too(terminal, repository):
    """The timestamp has expired, so python-tuf is run again; by then there is a new root, which has expired too."""
    terminal.at = START + timedelta(days=2)
    repository.life["root"] = timedelta(days=1)
    root = repository.publish_root()
    repository.answers["2.root.json"] = lambda handler: (
        answer(handler, root) if repository.asked.count("2.root.json") > 1 else handler.send_error(404)
    )
    assert terminal.refused() == "root-expired"
    assert repository.asked.count("2.root.json") > 1


def test_an_installed_root_past_its_expiry_still_leads_to_its_successors(terminal, repository):
    repository.at = START + LIFE["root"] + timedelta(days=9)
    repository.publish_root()
    repository.publish(content(2))
    terminal.at = repository.at + timedelta(hours=1)
    assert terminal.refreshed().root_version == 2


def test_only_what_has_certainly_expired_has_expired(terminal, repository):
    """After a reboot without a clock chip the earliest possible time may lie years back; it is the one that counts."""
    terminal.at = datetime(1970, 1, 1, tzinfo=UTC)
    bundle = terminal.refreshed()
    trust = Trust(None, None, None, bundle.expires_at_ms)  # type: ignore[arg-type]
    assert trust.freshness(Interval(0, None)) is Freshness.FRESH


def _certificate(name: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a self-signed certificate of the year 1990 and a server's TLS context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "platform.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(1990, 1, 1))  # noqa: DTZ001
        .not_valid_after(datetime(1991, 1, 1))  # noqa: DTZ001
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context


def test_tls_is_checked_but_for_the_dates(repository, tmp_path):
    """A terminal that boots in 1970 could otherwise never fetch what tells it more."""
    ours, context = _certificate("ours", tmp_path)
    other, _ = _certificate("other", tmp_path)
    with repository.served(context) as url:
        root, now = repository.files["1.root.json"], Interval(0, None)
        trusted = refresh(tmp_path / "a", Source(root, url, str(ours)), now, TrustFloor(), check)
        assert isinstance(trusted, VerifiedBundle), trusted
        untrusted = refresh(tmp_path / "b", Source(root, url, str(other)), now, TrustFloor(), check)
        assert isinstance(untrusted, TrustTrouble)
        assert untrusted.reason == "unreachable"


def check(files: Mapping[str, bytes]) -> int:
    return parse_content(files, build_key).trust_list.version
