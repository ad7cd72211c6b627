"""`scanward trust` as people and the agent call it."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from agent.adapters.keys.verification import build_key
from agent.adapters.trust_store.bundle import parse_content
from agent.adapters.trust_store.refresher import Source, refresh
from agent.cli import main
from agent.commands.trust import interval
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, VerifiedBundle
from fakes.trust_content import ENTRIES, content, publish_bundle
from fakes.tuf_repository import START, TufRepository

START_MS = int(START.timestamp() * 1000)


@pytest.fixture(scope="module")
def shown_state(tmp_path_factory):
    """A terminal's trust folder after one refresh."""
    repository = TufRepository()
    repository.publish(content(17, revocations=5))
    state = tmp_path_factory.mktemp("state")
    with repository.served() as url:
        source = Source(repository.files["1.root.json"], url)
        result = refresh(
            state,
            source,
            Interval(START_MS, None),
            TrustFloor(),
            lambda files: parse_content(files, build_key).trust_list.version,
        )
    assert isinstance(result, VerifiedBundle)
    return state


@pytest.mark.parametrize(
    ("after_s", "freshness"),
    [(0, "fresh"), (86_401, "warn"), (3 * 86_400, "provisional"), (30 * 86_400, "online-only")],
)
def test_show_prints_what_is_trusted_and_how_fresh_it_is(shown_state, capsys, after_s, freshness):
    now_ms = START_MS + after_s * 1000
    assert main(["trust", "show", "--state", str(shown_state), "--json", "--now", f"{now_ms},{now_ms}"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["version"] == 17
    assert shown["issued_at"] == "2026-11-21T08:00:00Z"
    assert shown["expires_at"] == "2026-11-22T08:00:00Z"
    assert shown["freshness"] == freshness
    assert shown["age_s"] == after_s
    assert shown["revoked"] == 5
    assert shown["families"] == {"ehc": 1, "platform": 2}
    assert shown["policy_version"] == 3
    assert shown["steps"]["dispensing"] == {
        "verified": ["ehc.dynamic"], "provisional": [], "checked": [], "confirm": "pharmacist",
    }  # fmt: skip
    kids = [entry["kid"] for entry in ENTRIES]
    assert [key["kid"] for key in shown["keys"]] == kids
    assert shown["keys"][0] | {"kid": "-"} == {
        "family": "ehc",
        "issuer": "4420",
        "kid": "-",
        "alg": "EdDSA",
        "usage": ["dynamic", "static"],
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2036-01-01T00:00:00Z",
    }


def test_show_is_readable_by_people(shown_state, capsys):
    assert main(["trust", "show", "--state", str(shown_state), "--now", f"{START_MS},"]) == 0
    out = capsys.readouterr().out
    for text in (
        "trust list 17",
        "fresh",
        "5 revoked",
        "3 keys",
        "1 ehc",
        "2 platform",
        ENTRIES[0]["kid"],
        "policy 3",
        "dispensing",
    ):
        assert text in out


def test_show_names_keys_that_cannot_be_used_and_counts_lists_of_revoked_cards(tmp_path, capsys):
    bad = {"family": "vds-nc", "issuer": "XXA", "kid": "aa" * 8, "alg": "ES256", "x5c": ["MAAA"]}
    lists = [
        {"family": "shc", "issuer": "https://cards.example", "kid": kid, "method": "rid", "ctr": 1, "rids": rids}
        for kid, rids in (("bb" * 32, ["abc"]), ("cc" * 32, ["abc", "abc"]))
    ]
    trust_list = json.loads(content()["trust-list.json"])
    changed = trust_list | {"keys": [*trust_list["keys"], bad], "revocations": lists}
    publish_bundle(tmp_path / "trust", content() | {"trust-list.json": json.dumps(changed).encode()})
    assert main(["trust", "show", "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "card revocation lists: 2 (1 malformed: all cards of those keys are refused); 3 keys" in out
    assert "1 keys are set aside, codes that need them are refused:\n  keys[3].x5c: not a certificate" in out
    assert "(vds-nc of XXA)" in out
    assert main(["trust", "show", "--state", str(tmp_path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["keys_total"], shown["set_aside_total"], len(shown["set_aside"])) == (3, 1, 1)
    assert (shown["card_revocation_lists"], shown["card_revocation_lists_malformed"]) == (2, 1)


def test_show_without_a_time_uses_the_clock(shown_state, capsys):
    assert main(["trust", "show", "--state", str(shown_state), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 17


SCANNER = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'


def test_show_takes_the_state_directory_the_folder_in_it_or_the_configuration(shown_state, tmp_path, capsys):
    (tmp_path / "trust").symlink_to(shown_state)
    config = tmp_path / "agent.toml"
    config.write_text(f'{SCANNER}[state]\ndirectory = "{tmp_path}"\n')
    for where in (["--state", str(tmp_path)], ["--state", str(tmp_path / "trust")], ["--config", str(config)]):
        assert main(["trust", "show", *where, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["version"] == 17


def test_show_asks_which_of_two_is_meant(shown_state, tmp_path, capsys):
    shutil.copytree(shown_state, tmp_path / "state", symlinks=True)
    (tmp_path / "state" / "trust").symlink_to(shown_state)
    assert main(["trust", "show", "--state", str(tmp_path / "state")]) == 1
    assert "name the folder you mean" in capsys.readouterr().err


def test_show_says_what_is_wrong_with_where_it_is_told_to_look(tmp_path, capsys):
    assert main(["trust", "show", "--state", str(tmp_path / "nowhere")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert main(["trust", "show", "--config", str(tmp_path / "missing.toml")]) == 1
    captured = capsys.readouterr().err
    assert "missing.toml" in captured
    assert captured.count("\n") == 1


def test_show_says_what_is_missing(tmp_path, capsys):
    assert main(["trust", "show", "--state", str(tmp_path)]) == 1
    assert "no trust list on this terminal yet" in capsys.readouterr().err


def test_show_says_what_is_damaged(shown_state, tmp_path, capsys):
    state = tmp_path / "state"
    shutil.copytree(shown_state, state, symlinks=True)
    (state / "current" / "policy.toml").write_bytes(b"")
    assert main(["trust", "show", "--state", str(state)]) == 1
    assert "bundle-damaged" in capsys.readouterr().err


def test_refresh_goes_on_without_a_key_that_cannot_be_used_and_says_so(tmp_path):
    files = content(5)
    trust_list = json.loads(files["trust-list.json"])
    trust_list["keys"].append({"family": "vds-nc", "issuer": "XXA", "kid": "aa" * 8, "alg": "ES256", "x5c": ["MAAA"]})
    repository = TufRepository()
    repository.publish(files | {"trust-list.json": json.dumps(trust_list).encode()})
    root = tmp_path / "root.json"
    root.write_bytes(repository.files["1.root.json"])
    with repository.served() as url:
        arguments = ["--state", str(tmp_path / "state"), "--url", url, "--root", str(root), "--floor", "0"]
        command = [sys.executable, "-m", "agent", "trust", "refresh", *arguments, "--now", f"{START_MS},"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr == "scanward: trust list 5: 1 keys are set aside: see trust show\n"


def test_refresh_prints_one_object_and_says_by_its_status_whether_it_worked(tmp_path):
    repository = TufRepository()
    repository.publish(content())
    root = tmp_path / "root.json"
    root.write_bytes(repository.files["1.root.json"])

    def run(*more: str) -> tuple[int, dict[str, object]]:
        arguments = ["--state", str(tmp_path / "state"), "--url", url, "--root", str(root), "--now", f"{START_MS},"]
        command = [sys.executable, "-m", "agent", "trust", "refresh", *arguments, *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    with repository.served() as url:
        status, report = run("--floor", "0")
        assert status == 0
        assert report.pop("manifest_sha256")
        assert report == {
            "ok": True,
            "bundle": "1",
            "timestamp_version": 1,
            "root_version": 1,
            "expires_at_ms": int(datetime(2026, 11, 22, 8, tzinfo=UTC).timestamp() * 1000),
        }
        status, report = run("--floor", "2")
        assert (status, report["ok"], report["reason"]) == (1, False, "below-floor")
        status, report = run("--floor", "1", "--offline")
        assert (status, report["ok"]) == (0, True)


@pytest.mark.parametrize("now", ["", "1", "x,", "5,4", "-1,", f"{10**18},", "1,2,3"])
def test_a_time_that_is_none_is_a_usage_error(now, tmp_path, capsys):
    with pytest.raises(ValueError):  # noqa: PT011 (argparse takes any)
        interval(now)
    arguments = ["--state", str(tmp_path), "--url", "http://127.0.0.1:9", "--root", "r", f"--now={now}", "--floor", "0"]
    with pytest.raises(SystemExit) as error:
        main(["trust", "refresh", *arguments])
    assert error.value.code == 2
    assert "EARLIEST,LATEST in milliseconds" in capsys.readouterr().err


def test_a_root_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    root = tmp_path / "missing.json"
    arguments = [
        "--state",
        str(tmp_path),
        "--url",
        "http://127.0.0.1:9",
        "--root",
        str(root),
        "--now",
        "1,",
        "--floor",
        "0",
    ]
    assert main(["trust", "refresh", *arguments]) == 2
    assert "missing.json" in capsys.readouterr().err
