"""The refresher against a real TUF repository over real HTTP: what it publishes, what it refuses, what it keeps."""

import copy
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from agent.adapters.trust_store.bundle import current_bundle
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle
from fakes.trust_content import ENTRIES, content, trust_list
from fakes.tuf_repository import LIFE, START, TufRepository, answer, answer_without_end

EXPIRES_MS = int((START + LIFE["timestamp"]).timestamp() * 1000)


def test_the_first_refresh_publishes_a_whole_bundle(terminal, repository):
    bundle = terminal.refreshed()
    assert (bundle.timestamp_version, bundle.root_version, bundle.expires_at_ms) == (1, 1, EXPIRES_MS)
    assert terminal.published() == (bundle.name, 1)
    manifest = json.loads((terminal.directory / "current" / "manifest.json").read_bytes())
    assert manifest["trust_list_version"] == 1
    assert manifest["verified"]["earliest_ms"] == int(terminal.at.timestamp() * 1000)


def test_an_update_replaces_the_bundle_and_keeps_the_one_before(terminal, repository):
    names = []
    for version in (1, 2, 3):
        repository.publish(content(version))
        names.append(terminal.refreshed().name)
        assert terminal.published() == (names[-1], version)
    assert {p.name for p in (terminal.directory / "bundles").iterdir()} == set(names[1:])


def test_nothing_new_writes_nothing_new(terminal):
    first = terminal.refreshed()
    terminal.at += timedelta(minutes=5)
    assert terminal.refreshed() == first
    assert [p.name for p in (terminal.directory / "bundles").iterdir()] == [first.name]


def test_a_new_timestamp_alone_downloads_no_target_again(terminal, repository):
    first = terminal.refreshed()
    repository.publish_timestamp()
    repository.asked.clear()
    second = terminal.refreshed()
    assert second.name != first.name
    assert second.timestamp_version == 2
    assert not [path for path in repository.asked if path.startswith("targets/")]


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_keys_of_every_role_can_be_replaced(terminal, repository, role):
    terminal.refreshed()
    repository.rotate(role)
    repository.publish(content(2))
    assert terminal.refreshed().root_version == 2
    assert terminal.published()[1] == 2
    assert terminal.refreshed(offline=True).root_version == 2


def test_a_root_that_the_one_before_did_not_sign_is_refused(terminal, repository):
    terminal.refreshed()
    stranger = TufRepository()
    stranger.root.version = 1
    repository.files["2.root.json"] = stranger.publish_root()
    assert terminal.refused() == "unsigned"


def test_a_repository_of_another_root_is_refused(terminal, repository):
    stranger = TufRepository()
    terminal.root = stranger.files["1.root.json"]
    assert terminal.refused() == "unsigned"


@pytest.mark.parametrize("root", [b"", b"{}", b"[" * 60_000, b"\xff"])
def test_an_installed_root_that_is_none_is_refused(terminal, root):
    terminal.root = root
    assert terminal.refused() == "root-invalid"


def _older(repository: TufRepository) -> dict[str, bytes]:
    """Return the files as of now, then publish twice more."""
    before = dict(repository.files)
    repository.publish(content(2))
    repository.publish(content(3))
    return before


def test_an_older_timestamp_is_refused(terminal, repository):
    before = _older(repository)
    terminal.refreshed()
    repository.files["timestamp.json"] = before["timestamp.json"]
    assert terminal.refused() == "wrong-version"


def test_an_older_timestamp_is_refused_even_where_our_own_metadata_is_gone(terminal, repository):
    before = _older(repository)
    terminal.refreshed()
    shutil.rmtree(terminal.directory / "metadata")
    repository.files["timestamp.json"] = before["timestamp.json"]
    assert terminal.refused() == "below-floor"


def test_a_timestamp_that_names_an_older_snapshot_is_refused(terminal, repository):
    _older(repository)
    terminal.refreshed()
    repository.snapshot.version = 1
    repository.publish_timestamp()
    assert terminal.refused() == "wrong-version"


def test_a_snapshot_that_names_older_targets_is_refused(terminal, repository):
    _older(repository)
    terminal.refreshed()
    repository.targets.version = 1
    repository.publish()
    assert terminal.refused() == "wrong-version"


def test_a_snapshot_other_than_the_timestamp_names_is_refused(terminal, repository):
    before = _older(repository)
    repository.files["3.snapshot.json"] = before["1.snapshot.json"]
    assert terminal.refused() == "wrong-version"


def test_targets_other_than_the_snapshot_names_are_refused(terminal, repository):
    before = _older(repository)
    repository.files["3.targets.json"] = before["1.targets.json"]
    assert terminal.refused() == "wrong-version"


def test_a_trust_list_of_a_lower_version_is_refused_however_well_signed(terminal, repository):
    repository.publish(content(7))
    terminal.refreshed()
    repository.publish(content(6))
    assert terminal.refused() == "wrong-version"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_signed_with_other_keys_is_refused(terminal, repository, role):
    name = {"timestamp": "timestamp.json", "snapshot": "1.snapshot.json", "targets": "1.targets.json"}[role]
    repository.files[name] = repository.sign(role, getattr(repository, role), TufRepository().signers[role])
    assert terminal.refused() == "unsigned"


def test_targets_signed_below_their_threshold_are_refused(terminal, repository):
    signers = repository.signers["targets"][:1]
    repository.files["1.targets.json"] = repository.sign("targets", repository.targets, signers)
    assert terminal.refused() == "unsigned"


@pytest.mark.parametrize("path", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize("data", [b"", b"{}", b"\x00\xff", b"[" * 16_000])
def test_metadata_that_is_none_is_refused(terminal, repository, path, data):
    repository.files[path] = data
    assert terminal.refused() == "malformed"


@pytest.mark.parametrize("target", ["trust-list.json", "revoked.bin", "policy.toml"])
def test_a_target_that_is_not_the_signed_one_is_refused(terminal, repository, target):
    path = repository.target_path(target)
    data = repository.files[path]
    for wrong in (data[:-1], data[:-1] + bytes([data[-1] ^ 1])):
        repository.files[path] = wrong
        assert terminal.refused() == "mismatch"
    repository.files[path] = data + b" "
    assert terminal.refused() == "too-large"
    repository.answers[path] = lambda handler: answer(handler, data[:-1], length=len(data))
    assert terminal.refused() == "unreachable"
    repository.answers[path] = answer_without_end
    assert terminal.refused() == "too-large"


@pytest.mark.parametrize("path", ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_metadata_without_end_is_refused(terminal, repository, path):
    repository.answers[path] = answer_without_end
    assert terminal.refused() == "too-large"


def test_a_target_larger_than_we_take_is_not_even_asked_for(terminal, repository):
    repository.publish(content(2) | {"policy.toml": b"#" * 65_537})
    assert terminal.refused() == "too-large"
    assert repository.target_path("policy.toml") not in repository.asked


@pytest.mark.parametrize("target", ["trust-list.json", "revoked.bin", "policy.toml"])
def test_a_missing_target_is_refused(terminal, repository, target):
    repository.publish({name: data for name, data in content(2).items() if name != target})
    assert terminal.refused() == "target-missing"


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("trust-list.json", b"{}"),
        ("trust-list.json", trust_list(2, [e for e in ENTRIES if e["usage"] != ["receipt"]])),
        ("trust-list.json", trust_list(2, [e for e in ENTRIES if e["usage"] != ["seal"]])),
        ("revoked.bin", b"1234567"),
        ("policy.toml", b"format = 3"),
    ],
)
def test_signed_content_that_the_agent_could_not_use_is_not_published(terminal, repository, target, data):
    terminal.refreshed()
    repository.publish(content(2) | {target: data})
    assert terminal.refused() == "content-invalid"


def test_troubles_of_the_way_have_their_own_words(terminal, repository):
    repository.answers["timestamp.json"] = lambda handler: handler.send_error(503)
    assert terminal.refused() == "unreachable"
    repository.answers["timestamp.json"] = lambda handler: handler.send_error(404)
    assert terminal.refused() == "missing"

    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "/elsewhere.json")
        handler.end_headers()

    repository.answers["timestamp.json"] = redirect
    assert terminal.refused() == "unreachable"
    assert "elsewhere.json" not in repository.asked


def test_nobody_listening_is_unreachable(terminal):
    terminal.url = "http://127.0.0.1:9"
    assert terminal.refused() == "unreachable"


def test_a_trust_folder_that_cannot_be_made_is_a_trouble_of_the_disk(terminal, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    terminal.directory = tmp_path / "file" / "trust"
    assert terminal.refused() == "disk"


def test_offline_the_bundle_is_verified_again_without_the_network(terminal, repository):
    first = terminal.refreshed()
    repository.asked.clear()
    assert terminal.refreshed(offline=True) == first
    assert repository.asked == []


def test_offline_without_a_bundle_says_so(terminal):
    assert terminal.refused(offline=True) == "no-cache"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("trust-list.json", "missing"),
        ("revoked.bin", "missing"),
        ("metadata/timestamp.json", "unsigned"),
        ("metadata/snapshot.json", "unsigned"),
        ("metadata/targets.json", "unsigned"),
    ],
)
def test_offline_a_changed_file_is_found(terminal, name, reason):
    terminal.refreshed()
    path = current_bundle(terminal.directory) / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"version":1', b'"version":2') if reason == "unsigned" else data + b"12345678")
    result = terminal.refresh(offline=True)
    assert isinstance(result, TrustTrouble)
    assert result.reason == reason


def test_offline_a_changed_manifest_is_replaced_by_a_true_one(terminal):
    first = terminal.refreshed()
    path = current_bundle(terminal.directory) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps(manifest | {"expires_at_ms": manifest["expires_at_ms"] + 10**12}))
    second = terminal.refreshed(offline=True)
    assert second.expires_at_ms == EXPIRES_MS
    assert second.name != first.name


def test_a_changed_target_is_fetched_again(terminal, repository):
    terminal.refreshed()
    (current_bundle(terminal.directory) / "revoked.bin").write_bytes(b"")
    repository.publish_timestamp()
    terminal.refreshed()
    assert terminal.published()[1] == 1


def test_a_timestamp_key_that_ran_ahead_is_overcome_by_replacing_it(terminal, repository):
    """TUF 5.3.11: a stolen online key may have signed version 2^40; a new root ends that, for the floor too."""
    repository.timestamp.version = 2**40
    repository.publish_timestamp()
    terminal.refreshed()
    repository.rotate("timestamp")
    repository.timestamp.version = 1
    repository.publish_timestamp()
    assert terminal.refreshed().timestamp_version == 2
    assert terminal.floor == TrustFloor(2, 2)


def test_a_new_root_with_the_same_online_keys_does_not_lower_the_floor(terminal, repository):
    before = _older(repository)
    terminal.refreshed()
    repository.rotate("root")
    repository.publish()
    shutil.rmtree(terminal.directory / "metadata")
    repository.files["timestamp.json"] = before["timestamp.json"]
    assert terminal.refused() == "below-floor"


def test_hiding_a_newer_root_does_not_bring_the_older_one_back(terminal, repository):
    first = dict(repository.files)
    repository.rotate("timestamp")
    repository.publish(content(2))
    terminal.refreshed()
    shutil.rmtree(terminal.directory / "metadata")
    repository.files = first
    assert terminal.refused() == "below-floor"


def test_a_planted_root_of_the_past_does_not_lower_the_floor(terminal, repository):
    """Only roots that the chain went through are compared; the installed root is newer than the one the floor knows."""
    _older(repository)
    repository.rotate("root")
    terminal.root = repository.files["2.root.json"]
    terminal.refreshed()
    terminal.floor = TrustFloor(timestamp_version=99, root_version=1)
    planted = TufRepository()
    (terminal.directory / "metadata" / "root_history" / "1.root.json").write_bytes(planted.files["1.root.json"])
    assert terminal.refused() == "below-floor"


def test_everything_is_on_the_disk_before_the_pointer_moves(terminal, monkeypatch):
    happened: list[tuple[str, str]] = []
    real_fsync, real_replace, real_rename = os.fsync, os.replace, os.rename

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        happened.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def replace(source, target, **kwargs) -> None:
        real_replace(source, target, **kwargs)
        happened.append(("move", str(target)))

    def rename(source, target, **kwargs) -> None:
        real_rename(source, target, **kwargs)
        happened.append(("move", str(target)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "rename", rename)
    bundle = current_bundle_after(terminal)
    pointer = happened.index(("move", str(terminal.directory / "current")))
    named = happened.index(("move", str(bundle)))
    drafted = [what[1] for what in happened[:named] if what[0] == "sync"]
    for path in bundle.rglob("*"):
        tail = str(path.relative_to(bundle))
        assert any("/.draft-" in p and p.endswith(f"/{tail}") for p in drafted), tail
    assert ("sync", str(terminal.directory / "bundles")) in happened[named:pointer]
    assert ("sync", str(terminal.directory)) in happened[pointer:]
    for name in ("timestamp.json", "snapshot.json", "targets.json", "root_history/1.root.json"):
        assert ("sync", str(terminal.directory / "metadata" / name)) in happened[:named]


def current_bundle_after(terminal) -> Path:
    assert isinstance(terminal.refresh(), VerifiedBundle)
    bundle = current_bundle(terminal.directory)
    assert bundle is not None
    return bundle


def test_what_was_verified_before_a_failure_is_kept(terminal, repository):
    """A root that takes a key away counts from the moment it was seen, though the targets could not be fetched."""
    terminal.refreshed()
    before = copy.copy(repository.files)
    repository.rotate("timestamp")
    repository.publish(content(2))
    repository.answers[repository.target_path("trust-list.json")] = lambda handler: handler.send_error(503)
    assert terminal.refused() == "unreachable"
    repository.files = before
    assert terminal.refused() == "unsigned"


def test_a_trust_folder_copied_with_its_links_followed_refreshes_again(terminal, tmp_path):
    terminal.refreshed()
    shutil.copytree(terminal.directory, tmp_path / "copy")  # follows the link
    terminal.directory = tmp_path / "copy"
    assert not (terminal.directory / "current").is_symlink()
    bundle = terminal.refreshed()
    assert terminal.published() == (bundle.name, 1)
