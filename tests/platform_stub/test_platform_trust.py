"""The trust repository as a real TUF client sees it over HTTP."""

import asyncio
import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient import Updater
from vectors import generate

import platform_stub
from agent.core.steps import PolicyInvalid as AgentPolicyInvalid
from agent.core.steps import parse_policy
from fakes.altered import altered
from platform_stub.issuing.policy import PolicyInvalid, require_policy
from platform_stub.issuing.repository import Repository, card_prefix, key_prefix
from platform_stub.layout import LayoutInvalid

NOW_S = generate.NOW_S
TARGETS = ("trust-list.json", "revoked.bin", "policy.toml")


async def fetch(platform, directory, at_s, root=None):
    """Refresh as a terminal does, at a time of ours; return the targets by name."""
    base = str(platform.client.make_url("/v1/trust/"))
    directory.mkdir(exist_ok=True)

    def refresh():
        bootstrap = root or platform.layout.root.read_bytes()
        updater = Updater(str(directory), base + "metadata/", str(directory), base + "targets/", bootstrap=bootstrap)
        updater._trusted_set.reference_time = datetime.fromtimestamp(at_s, UTC)
        updater.refresh()
        found = {name: updater.get_targetinfo(name) for name in TARGETS}
        return {name: Path(updater.download_target(target)).read_bytes() for name, target in found.items()}

    return await asyncio.to_thread(refresh)


async def test_a_tuf_client_gets_the_trust_list_of_the_vectors(run_platform, tmp_path, vectors):
    async with run_platform() as platform:
        targets = await fetch(platform, tmp_path / "client", NOW_S)
    trust_list, expected = json.loads(targets["trust-list.json"]), vectors("ehc1")["trust_list"]
    expected["keys"].insert(-1, vectors("online")["trust_list"]["keys"][1])  # before the key that seals
    assert trust_list["format"] == expected["format"]
    assert trust_list["issued_at"] == "2027-01-15T08:00:00Z"
    of_vectors = [key for key in trust_list["keys"] if key["usage"] != ["command"]]  # the vectors know no commands
    assert len(trust_list["keys"]) == len(of_vectors) + 1
    assert [key.keys() for key in of_vectors] == [key.keys() for key in expected["keys"]]
    said = ("family", "issuer", "kid", "alg", "spki", "usage")
    assert [[key[f] for f in said] for key in of_vectors] == [[key[f] for f in said] for key in expected["keys"]]
    assert targets["revoked.bin"] == b""


async def test_the_signed_policy_is_one_that_terminals_understand(run_platform, tmp_path):
    async with run_platform() as platform:
        policy = parse_policy((await fetch(platform, tmp_path / "client", NOW_S))["policy.toml"])
    steps = policy.steps
    assert set(steps) == {"registration", "payment", "dispensing", "record-query"}
    assert steps["payment"].verified == {"ehc.dynamic", "national.dynamic"}
    assert steps["record-query"].verified == {"ehc.dynamic"}
    assert steps["registration"].provisional == {"national.static"}
    assert steps["dispensing"].confirm == "pharmacist"
    assert [(steps[s].med_step, steps[s].scene) for s in ("registration", "payment", "dispensing", "record-query")] == [
        ("010101", "0101012"), ("010105", "0101051"), ("010103", None), ("000000", None)
    ]  # fmt: skip


async def test_a_revocation_reaches_the_client_sorted_and_without_the_card(run_platform, tmp_path):
    card, kid = generate.CARD, generate.kid(generate.ISSUER_ES)
    expected = sorted([hashlib.sha256(b"card" + card).digest()[:8], hashlib.sha256(b"kidehc\0" + kid).digest()[:8]])
    async with run_platform() as platform:
        before = json.loads((await fetch(platform, tmp_path / "client", NOW_S))["trust-list.json"])["version"]
        repository = Repository(platform.layout)
        repository.revoke(card_prefix(card), NOW_S + 1)
        repository.revoke(card_prefix(card), NOW_S + 2)
        repository.revoke(key_prefix("ehc", kid), NOW_S + 3)
        targets = await fetch(platform, tmp_path / "client", NOW_S + 4)
    assert targets["revoked.bin"] == b"".join(expected)
    assert json.loads(targets["trust-list.json"])["version"] == before + 3


async def test_the_timestamp_lives_a_day_and_is_signed_again_well_before(run_platform, tmp_path):
    async with run_platform() as platform:
        repository = Repository(platform.layout)
        assert not repository.renew_timestamp(NOW_S + 11 * 3600)
        with pytest.raises(ExpiredMetadataError):
            await fetch(platform, tmp_path / "early", NOW_S + 86_401)
        assert repository.renew_timestamp(NOW_S + 13 * 3600)
        assert not repository.renew_timestamp(NOW_S + 13 * 3600)
        await fetch(platform, tmp_path / "client", NOW_S + 86_401)


async def test_root_and_targets_need_two_keys_each(platform_directory):
    root = Metadata.from_bytes((platform_directory / "root.json").read_bytes()).signed
    assert root.consistent_snapshot
    assert {role: (r.threshold, len(r.keyids)) for role, r in root.roles.items()} == {
        "root": (2, 2), "targets": (2, 2), "snapshot": (1, 1), "timestamp": (1, 1)
    }  # fmt: skip


async def test_a_client_with_another_root_believes_nothing(run_platform, tmp_path):
    from platform_stub.platform import make_platform

    make_platform(tmp_path / "other", "4420", NOW_S)
    async with run_platform() as platform:
        with pytest.raises(RepositoryError):
            await fetch(platform, tmp_path / "client", NOW_S, (tmp_path / "other" / "root.json").read_bytes())


async def test_a_changed_target_is_not_believed(run_platform, tmp_path):
    async with run_platform() as platform:
        for path in (platform.layout.repository / "targets").glob("*.policy.toml"):
            path.write_bytes(path.read_bytes().replace(b"ehc.dynamic", b"ehc.static#"))
        with pytest.raises(RepositoryError):
            await fetch(platform, tmp_path / "client", NOW_S)


@pytest.mark.parametrize(
    "path",
    [
        "metadata/2.root.json",
        "targets/policy.toml",
        "metadata/..%2f..%2fplatform.toml",
        "targets/..%2F..%2F..%2Fkeys%2Freceipt.pem",
        "metadata/.lock",
        "metadata/%00",
        "targets/",
    ],
)
async def test_nothing_but_the_repositorys_files_is_given_out(run_platform, path):
    from yarl import URL

    async with run_platform() as platform:
        base = str(platform.client.make_url("/v1/trust/"))
        async with platform.client.session.get(URL(base + path, encoded=True)) as answer:
            assert answer.status == 404
            assert answer.content_type == "application/problem+json"


def test_a_broken_policy_is_not_signed(platform_directory):
    from platform_stub.layout import Layout

    layout = Layout(platform_directory)
    layout.policy.write_text("steps = [")
    with pytest.raises(LayoutInvalid, match=r"policy\.toml"):
        Repository(layout).publish(NOW_S)
    assert tomllib.loads((layout.directory / "platform.toml").read_text())["issuer"] == "4420"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('[steps.admission]\nchecked = ["revocations"]', r"steps\.admission: .*revocations.*allowed: time, expiry"),
        ('[steps.admission]\nverfied = ["hcert.any"]', r"steps\.admission: .*verfied"),
        ('[steps.admission]\nverified = ["hcert"]', r"steps\.admission: .*matching"),
        ('[steps.admission]\nverified = ["hcert.any\\n"]', r"steps\.admission: .*matching"),
        ('[steps.admission]\nconfirm = "doctor"', r"steps\.admission: .*doctor"),
        ("[steps.Admission]", "Admission"),
        ("[site]", "site"),
    ],
)
def test_a_policy_that_terminals_would_refuse_is_not_signed(platform_directory, line, says):
    from platform_stub.layout import Layout

    layout = Layout(platform_directory)
    before = sorted(layout.repository.rglob("*"))
    layout.policy.write_text(layout.policy.read_text() + line)
    with pytest.raises(LayoutInvalid, match=says):
        Repository(layout).publish(NOW_S)
    assert sorted(layout.repository.rglob("*")) == before


POLICY = tomllib.loads((Path(platform_stub.__file__).parent / "policy.toml").read_text())
POLICY["steps"]["payment"]["checked"] = ["revocation"]
ODD = st.booleans() | st.integers(-1, 2**63) | st.text("abc.-_ é", max_size=40) | st.lists(st.text("ab.*", max_size=9))
ODD |= st.sampled_from([[], ["ehc.any"], ["hcert.any\n"], ["time"], ["time", "time"], "patient", {}, {"ab": {}}])


@given(altered([POLICY], ODD))
def test_the_platform_signs_the_policies_that_terminals_read_and_no_others(table):
    text = "\n".join(f"{json.dumps(key)} = {to_toml(value)}" for key, value in table.items()).encode()
    try:
        parse_policy(text)
    except AgentPolicyInvalid:
        with pytest.raises(PolicyInvalid):
            require_policy(text)
    else:
        require_policy(text)


def to_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
