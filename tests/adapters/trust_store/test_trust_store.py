"""The store: what it believes at start, what it makes durable before it swaps, what it refuses."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.keys.verification import build_key
from agent.adapters.trust_store import bundle as disk
from agent.adapters.trust_store.store import Settings, TrustStore
from agent.core.trust_list import Trust
from agent.ports import LedgerBroken, LedgerFull, TrustFloor, VerifiedBundle
from fakes.trust_content import ENTRIES, content, trust_list
from fakes.trust_content import publish_bundle as publish
from fakes.trust_refresher import DictValues


def store_over(directory: Path, values: DictValues) -> TrustStore:
    return TrustStore(directory, build_key=build_key, values=values)


async def test_at_first_nothing_is_trusted(tmp_path):
    store = store_over(tmp_path, DictValues())
    trouble = await store.restore()
    assert trouble is not None
    assert trouble.reason == "never-verified"
    assert store.current is None
    assert await store.floor() == TrustFloor(0, 0)


async def test_a_published_bundle_is_not_believed_until_its_hash_is_known(tmp_path):
    publish(tmp_path, content())
    values = DictValues({"trust.manifest_sha256": b"0" * 64})
    store = store_over(tmp_path, values)
    trouble = await store.restore()
    assert trouble is not None
    assert trouble.reason == "bundle-unknown"
    assert store.current is None


async def test_what_was_adopted_is_restored_at_the_next_start(tmp_path):
    values = DictValues()
    bundle = publish(tmp_path, content(5), timestamp_version=12)
    assert await store_over(tmp_path, values).adopt(bundle) is None
    store = store_over(tmp_path, values)
    assert await store.restore() is None
    assert store.current is not None
    assert store.current.trust_list.version == 5
    assert store.current.policy is not None
    assert store.current.policy.version == 3
    assert store.current.revoked is not None
    assert len(store.current.revoked) == 3
    assert store.current.expires_ms == bundle.expires_at_ms
    assert await store.floor() == TrustFloor(12, 1)


async def test_floor_and_hash_are_durable_before_the_swap(tmp_path):
    seen: list[tuple[str, Trust | None]] = []

    class Watching(DictValues):
        async def set(self, name: str, value: bytes) -> None:
            seen.append((name, store.current))
            await super().set(name, value)

    store = store_over(tmp_path, Watching())
    await store.adopt(publish(tmp_path, content()))
    names = ["trust.timestamp_floor", "trust.root_floor", "trust.manifest_sha256"]
    assert seen == [(name, None) for name in names]
    assert store.current is not None


async def test_a_ledger_that_breaks_leaves_what_was_in_use(tmp_path):
    class Breaking(DictValues):
        async def set(self, name: str, value: bytes) -> None:
            raise LedgerBroken

    store = store_over(tmp_path, Breaking())
    with pytest.raises(LedgerBroken):
        await store.adopt(publish(tmp_path, content()))
    assert store.current is None


@pytest.mark.parametrize("full_from", [0, 1, 2])
async def test_a_full_disk_is_a_trouble_and_leaves_what_was_in_use(tmp_path, full_from):
    class Filling(DictValues):
        left = 100

        async def set(self, name: str, value: bytes) -> None:
            if self.left == 0:
                raise LedgerFull
            self.left -= 1
            await super().set(name, value)

    values = Filling()
    store = store_over(tmp_path, values)
    await store.adopt(publish(tmp_path, content(1)))
    in_use, values.left = store.current, full_from
    bundle = publish(tmp_path, content(2), timestamp_version=2)
    later = VerifiedBundle(bundle.name, bundle.manifest_sha256, 2, 2, 0)
    trouble = await store.adopt(later)
    assert trouble is not None
    assert trouble.reason == "disk"
    assert store.current is in_use
    values.left = 100  # space again: the next refresh takes it
    assert await store.adopt(later) is None
    assert store.current is not None
    assert store.current.trust_list.version == 2


@pytest.mark.parametrize("data", [b'{"format":"\xff\xfe"}', b'{"x":' + b"[" * 15_000, b"[", b""])
def test_a_manifest_that_is_garbage_is_a_damaged_bundle(tmp_path, data):
    bundle = tmp_path / "bundles" / publish(tmp_path, content()).name
    (bundle / disk.MANIFEST).write_bytes(data)
    with pytest.raises(disk.BundleInvalid) as caught:
        disk.read_manifest(bundle)
    assert caught.value.reason == "bundle-damaged"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("trust-list.json", b'{"x":' + b"[" * 100_000),
        ("trust-list.json", b'{"keys":[{"x":' + b'{"a":' * 100_000),
        ("policy.toml", b"a=" + b"[" * 20_000),
        ("policy.toml", b"version=" + b"9" * 5_000),
    ],
)
def test_content_that_is_nested_or_numbered_absurdly_is_invalid(name, data):
    with pytest.raises(disk.BundleInvalid) as caught:
        disk.parse_content(content() | {name: data}, build_key)
    assert caught.value.reason == "content-invalid"


def test_a_trust_folder_copied_with_its_links_followed_is_mended_with_one_line(tmp_path, caplog):
    publish(tmp_path, content(1))
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "current", copy / "current")
    shutil.copytree(tmp_path / "bundles", copy / "bundles")
    assert disk.current_bundle(copy) is None
    for _ in range(2):
        bundle = publish(copy, content(2))
        assert disk.current_bundle(copy) == copy / "bundles" / bundle.name
    assert (copy / "current.set-aside" / disk.MANIFEST).is_file()
    assert len([r for r in caplog.records if "set-aside" in r.getMessage()]) == 1


async def test_a_crash_between_publishing_and_adopting_starts_with_the_bundle_before(tmp_path):
    values = DictValues()
    await store_over(tmp_path, values).adopt(publish(tmp_path, content(1)))
    publish(tmp_path, content(2), timestamp_version=2)  # the refresher has switched; the agent never heard of it
    store = store_over(tmp_path, values)
    assert await store.restore() is None
    assert store.current is not None
    assert store.current.trust_list.version == 1


@pytest.mark.parametrize("name", ["trust-list.json", "revoked.bin", "policy.toml", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "long"])
async def test_a_tampered_bundle_is_refused_and_what_is_in_use_stays(tmp_path, name, damage):
    values = DictValues()
    store = store_over(tmp_path, values)
    await store.adopt(publish(tmp_path, content(1)))
    in_use, sets = store.current, list(values.sets)
    bundle = publish(tmp_path, content(2, revocations=9), timestamp_version=2)
    path = tmp_path / "bundles" / bundle.name / name
    data = path.read_bytes()
    match damage:
        case "changed":
            path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        case "cut":
            path.write_bytes(data[:-1])
        case "gone":
            path.unlink()
        case "long":
            os.truncate(path, 32 << 20)
    trouble = await store.adopt(bundle)
    assert trouble is not None
    assert trouble.reason == ("bundle-unknown" if name == "manifest.json" else "bundle-damaged")
    assert store.current is in_use
    assert values.sets == sets


@pytest.mark.parametrize("usage", ["receipt", "seal"])
async def test_a_trust_list_without_a_platform_key_for_receipts_or_sealing_is_refused(tmp_path, usage):
    store = store_over(tmp_path, DictValues())
    files = content() | {"trust-list.json": trust_list(1, [e for e in ENTRIES if usage not in e["usage"]])}
    trouble = await store.adopt(publish(tmp_path, files))
    assert trouble is not None
    assert trouble.reason == "content-invalid"
    assert usage in trouble.detail


@pytest.mark.parametrize("name", ["../../elsewhere", "0", "7", "", "1/../1"])
async def test_a_bundle_name_never_leads_out_of_the_folder(tmp_path, name):
    bundle = publish(tmp_path / "trust", content())
    shutil.copytree(tmp_path / "trust" / "bundles" / bundle.name, tmp_path / "elsewhere")
    store = store_over(tmp_path / "trust", DictValues())
    trouble = await store.adopt(VerifiedBundle(name, bundle.manifest_sha256, 1, 1, 0))
    assert trouble is not None
    assert trouble.reason == "bundle-unknown"


@pytest.mark.parametrize(
    "target", ["/etc", "../elsewhere", "bundles", "bundles/9", "bundles/1/", "bundles/../bundles/1"]
)
def test_a_pointer_to_anything_but_a_bundle_is_no_bundle(tmp_path, target):
    publish(tmp_path, content())
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(target)
    expected = target == "bundles/1/"  # a symlink keeps the slash, and pathlib takes it away
    assert (disk.current_bundle(tmp_path) is not None) is expected


async def test_the_site_may_narrow_the_signed_policy(tmp_path):
    store = TrustStore(
        tmp_path,
        build_key=build_key,
        values=DictValues(),
        narrow=lambda policy: policy.narrowed({"*": frozenset({"ehc.static"})}),
    )
    await store.adopt(publish(tmp_path, content()))
    assert store.current is not None
    assert store.current.policy is not None
    assert store.current.policy.steps["registration"].verified == frozenset({"ehc.dynamic"})


async def test_a_bundle_in_use_is_not_read_again(tmp_path):
    values = DictValues()
    store = store_over(tmp_path, values)
    bundle = publish(tmp_path, content())
    await store.adopt(bundle)
    in_use, sets = store.current, list(values.sets)
    shutil.rmtree(tmp_path / "bundles")
    assert await store.adopt(bundle) is None
    assert store.current is in_use
    assert values.sets == sets


async def test_a_million_revocations_do_not_stop_the_loop(tmp_path):
    store = store_over(tmp_path, DictValues())
    bundle = publish(tmp_path, content(revocations=1_000_000))
    loop = asyncio.get_running_loop()
    gaps: list[float] = []

    async def beat() -> None:
        last = loop.time()
        while True:
            await asyncio.sleep(0)
            gaps.append(loop.time() - last)
            last = loop.time()

    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(beat())
        assert await store.adopt(bundle) is None
        beating.cancel()
    assert store.current is not None
    assert store.current.revoked is not None
    assert len(store.current.revoked) == 1_000_000
    assert max(gaps) < 0.5  # the parser alone takes longer than this on the machines we mean; the bound is generous


def test_the_agent_reads_its_trust_list_without_importing_tuf():
    rooms = ("adapters.trust_store.store", "adapters.trust_store.refresher_process", "tasks.trust")
    program = "import sys; " + "; ".join(f"import agent.{room}" for room in rooms)
    program += "; assert not {'tuf', 'securesystemslib', 'urllib3'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", ["refresh_interval_s", "refresh_timeout_s", "retry_delay_s_first", "retry_delay_s_max"]
)
def test_settings_without_sense_are_refused(name):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: 0.0})
