"""`scanward queue` beside the running owner: what it shows, what it writes, and what it never shows."""

import argparse
import json

import pytest

from agent.adapters.ledger.opening import set_aside
from agent.adapters.ledger.owner import ThreadedLedger
from agent.commands import queue
from fakes.ledger_parts import draft, open_ledger, sealing_recipient


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    queue.add_arguments(parser)
    return queue.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def running(tmp_path):
    """An open ledger of six records; three settled, of which 2 and 3 are parked."""
    file = open_ledger(tmp_path / "ledger.sqlite")
    file.commit([draft(n) for n in range(6)])
    file.settle("platform", 3, [(2, "record.malformed"), (3, "record.\x1b[31mred")])
    yield file
    file.close()


def test_list_shows_cursors_and_parked_records_with_their_reasons(running, tmp_path, capsys):
    assert call("list", "--ledger", tmp_path / "ledger.sqlite") == 0
    out = capsys.readouterr().out
    assert "terminal  kiosk-1" in out
    assert f"ledger    {running.chain.ledger_id.hex()}, 6 records so far" in out
    assert "uplink    platform: 3 waiting behind 3, the oldest of 2027-01-15T08:00:04+00:00" in out
    assert "record 2 of 2027-01-15T08:00:04+00:00: record.malformed" in out
    assert "\x1b" not in out, "a platform's reason does not steer the terminal of who reads it"


async def test_retry_hands_parked_records_to_delivery_once(tmp_path, capsys):
    path = tmp_path / "ledger.sqlite"
    async with ThreadedLedger(open_ledger(path)) as ledger:
        for n in range(4):
            await ledger.append(draft(n))
        await ledger.settle("platform", 4, [(2, "record.malformed"), (3, "record.malformed"), (4, "record.malformed")])
        assert call("retry", "--ledger", path, "2", "4") == 0
        assert "record 2 will be sent to platform again" in capsys.readouterr().out
        again = await ledger.resend("platform")
        assert [r.seq for r in again] == [2, 4]
        assert again[0].hash == await ledger.hash_at(2)
        assert await ledger.resend("city") == []
        assert (await ledger.append(draft(9))).seq == 5, "the owner goes on"
        await ledger.settle("platform", 4, [(4, "record.still-malformed")], resent=[2, 4])
        assert await ledger.resend("platform") == []
        assert call("list", "--ledger", path) == 0
        out = capsys.readouterr().out
        assert "record 3 " in out
        assert "record.still-malformed" in out
        assert "record 2 " not in out
        assert call("retry", "--ledger", path, "--all") == 0
        assert [r.seq for r in await ledger.resend("platform")] == [3, 4]


def test_retry_of_what_is_not_parked_is_an_error(running, tmp_path, capsys):
    assert call("retry", "--ledger", tmp_path / "ledger.sqlite", "1", "2") == 1
    assert "record 1 is not parked" in capsys.readouterr().err
    assert [r.seq for r in running.resend("platform")] == [2]


@pytest.mark.parametrize("arguments", [(), ("2", "--all")])
def test_retry_wants_numbers_or_all(running, tmp_path, arguments):
    assert call("retry", "--ledger", tmp_path / "ledger.sqlite", *arguments) == 2
    assert running.resend("platform") == []


@pytest.mark.parametrize(
    ("which", "expected"), [((), [1, 2, 3, 4, 5, 6]), (("--pending",), [4, 5, 6]), (("--parked",), [2, 3])]
)
def test_export_writes_the_envelopes_as_stored(running, tmp_path, capsys, which, expected):
    assert call("export", "--ledger", tmp_path / "ledger.sqlite", *which) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines] == expected
    stored = {r.seq: r for r in running.read(0, records_max=100, bytes_max=10**6)}
    for line in lines:
        assert bytes.fromhex(line["envelope"]) == stored[line["seq"]].envelope
        assert bytes.fromhex(line["hash"]) == stored[line["seq"]].hash
        assert (line["step"], line["answer"], line["sealed"]) == ("payment", 0, False)


def test_export_to_a_file_never_overwrites(running, tmp_path, capsys):
    out = tmp_path / "records.jsonl"
    assert call("export", "--ledger", tmp_path / "ledger.sqlite", "--out", out) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    before = out.read_bytes()
    assert len(before.splitlines()) == 6
    assert call("export", "--ledger", tmp_path / "ledger.sqlite", "--out", out) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_personal_fields_stay_sealed(tmp_path, capsys):
    import hashlib

    file = open_ledger(tmp_path / "ledger.sqlite")
    file.commit([draft(recipients=(sealing_recipient("platform seal"),))])
    file.close()
    assert call("export", "--ledger", tmp_path / "ledger.sqlite") == 0
    assert call("list", "--ledger", tmp_path / "ledger.sqlite") == 0
    out = capsys.readouterr().out
    assert '"sealed": true' in out
    assert hashlib.sha256(b"an invented card").hexdigest() not in out


def test_list_works_when_no_agent_runs_and_nothing_was_settled(tmp_path, capsys):
    file = open_ledger(tmp_path / "ledger.sqlite")
    file.commit([draft(0)])
    file.close()
    assert call("list", "--ledger", tmp_path / "ledger.sqlite") == 0
    assert "none has settled anything: 1 waiting" in capsys.readouterr().out


def test_the_configuration_names_the_ledger(tmp_path, capsys):
    open_ledger(tmp_path / "state" / "ledger.sqlite").close()
    config = tmp_path / "agent.toml"
    scanner = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'
    config.write_text(f'[state]\ndirectory = "{tmp_path / "state"}"\n{scanner}')
    assert call("list", "--config", config) == 0
    assert "terminal  kiosk-1" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be looked at" * 20])
def test_what_is_no_ledger_is_said_so(tmp_path, capsys, content):
    path = tmp_path / "other.sqlite"
    if content is not None:
        path.write_bytes(content)
    for action in (("list",), ("export",), ("retry", "--all")):
        assert call(*action, "--ledger", path) == 1
        assert capsys.readouterr().err.startswith("error: ")
    assert not path.exists() if content is None else path.read_bytes() == content


@pytest.fixture
def salvaged(tmp_path):
    """A new ledger with one record of its own and records 4 to 6 of one set aside, of which 5 was rejected."""
    path = tmp_path / "ledger.sqlite"
    file = open_ledger(path, seed="before")
    file.commit([draft(n) for n in range(6)])
    file.settle("platform", 3, [])
    file.close()
    set_aside(path)
    file = open_ledger(path, seed="after")
    file.commit([draft(9)])
    run = file.salvaged("platform", records_max=2, bytes_max=10**6)
    file.settle_salvaged("platform", run, [(5, "record.\x1b[31mred")])
    yield file, run.ledger_id
    file.close()


def test_list_shows_what_is_left_of_a_ledger_set_aside(salvaged, tmp_path, capsys):
    assert call("list", "--ledger", tmp_path / "ledger.sqlite") == 0
    out = capsys.readouterr().out
    assert "salvaged  1 undelivered records of ledger.sqlite.set-aside-1" in out
    assert "parked    platform: record 5 of ledger.sqlite.set-aside-1: record.?[31mred" in out


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ((), [("old", 5), ("old", 6), ("new", 1)]),
        (("--pending",), [("old", 6), ("new", 1)]),
        (("--pending", "--uplink", "platform"), [("old", 6), ("new", 1)]),
        (("--parked",), [("old", 5)]),
        (("--parked", "--uplink", "city"), []),
    ],
)
def test_export_includes_what_is_left_of_a_ledger_set_aside(salvaged, tmp_path, capsys, which, expected):
    _, old = salvaged
    assert call("export", "--ledger", tmp_path / "ledger.sqlite", *which) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("old" if line.get("ledger_id") == old.hex() else "new", line["seq"]) for line in lines] == expected
    assert all(line["source"] == "ledger.sqlite.set-aside-1" for line in lines if "ledger_id" in line)
    assert [line["parked"] for line in lines if line["seq"] == 5] == ["record.?[31mred"] * (
        5 in [s for _, s in expected]
    )


def test_retry_of_all_includes_ledgers_set_aside_and_a_number_does_not(salvaged, tmp_path, capsys):
    file, _ = salvaged
    assert call("retry", "--ledger", tmp_path / "ledger.sqlite", "5") == 1
    assert call("retry", "--ledger", tmp_path / "ledger.sqlite", "--all", "--uplink", "city") == 0
    assert [r.seq for r in file.salvaged("platform", records_max=9, bytes_max=10**6).records] == [6]
    capsys.readouterr()
    assert call("retry", "--ledger", tmp_path / "ledger.sqlite", "--all") == 0
    assert "record 5 of ledger.sqlite.set-aside-1 will be sent to platform again" in capsys.readouterr().out
    assert [r.seq for r in file.salvaged("platform", records_max=9, bytes_max=10**6).records] == [5]
    assert call("list", "--ledger", tmp_path / "ledger.sqlite") == 0
    assert "record 5 of ledger.sqlite.set-aside-1: to be sent again" in capsys.readouterr().out
