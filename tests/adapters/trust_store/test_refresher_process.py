"""The real refresher as a real process: bounded in time and output, gone when the caller goes."""

import asyncio
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.trust_store.bundle import current_bundle
from agent.adapters.trust_store.refresher_process import RefresherProcess
from agent.adapters.trust_store.report import decode_report, encode_report
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, TrustTrouble, VerifiedBundle

NOW = Interval(1_795_248_000_000, None)


def process_of(terminal, tmp_path: Path, **changed) -> RefresherProcess:
    root = tmp_path / "root.json"
    root.write_bytes(terminal.root)
    arguments = {"url": terminal.url, "root": root, "timeout_s": 30.0} | changed
    return RefresherProcess(terminal.directory, **arguments)


async def test_the_process_publishes_what_it_reports(terminal, repository, tmp_path):
    refresher = process_of(terminal, tmp_path)
    bundle = await refresher.refresh(NOW, TrustFloor())
    assert isinstance(bundle, VerifiedBundle), bundle
    assert current_bundle(terminal.directory) == terminal.directory / "bundles" / bundle.name
    repository.asked.clear()
    assert await refresher.refresh(NOW, TrustFloor(1, 1), offline=True) == bundle
    assert repository.asked == []


async def test_the_floor_reaches_the_process(terminal, tmp_path):
    refresher = process_of(terminal, tmp_path)
    for floor in (TrustFloor(timestamp_version=2), TrustFloor(root_version=2)):
        trouble = await refresher.refresh(NOW, floor)
        assert isinstance(trouble, TrustTrouble)
        assert trouble.reason == "below-floor"


async def test_a_repository_that_drips_is_given_up_in_time(terminal, repository, tmp_path):
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def drip(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" ")
                if handler.connection.recv(1, 0x40) == b"":  # MSG_DONTWAIT
                    break
        except BlockingIOError:
            drip_on(handler)
        finally:
            loop.call_soon_threadsafe(ended.set)

    def drip_on(handler) -> None:
        handler.connection.settimeout(0.2)
        while True:
            handler.wfile.write(b" ")
            try:
                if handler.connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    repository.answers["timestamp.json"] = drip
    refresher = process_of(terminal, tmp_path, timeout_s=4.0)
    trouble = await refresher.refresh(NOW, TrustFloor())
    assert isinstance(trouble, TrustTrouble)
    assert trouble.reason == "slow"
    assert "4 s" in trouble.detail
    async with asyncio.timeout(10):
        await ended.wait()


async def test_a_cancelled_refresh_leaves_no_process(terminal, repository, tmp_path):
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stall(handler) -> None:
        loop.call_soon_threadsafe(asked.set)
        handler.rfile.read(1)  # until the client goes

    repository.answers["timestamp.json"] = stall
    refresher = process_of(terminal, tmp_path)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(refresher.refresh(NOW, TrustFloor()))
        await asked.wait()
        assert len(_children()) == 1
        task.cancel()
    assert task.cancelled()
    assert _children() == []
    repository.answers.clear()
    assert isinstance(await refresher.refresh(NOW, TrustFloor()), VerifiedBundle)


def _children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "refresh" in p.cmdline() or p.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit(3)", "crashed"),
        ("print('no report')", "crashed"),
        ("print('{}')", "crashed"),
        ("""print('{"ok": true, "bundle": 7}')""", "crashed"),
        ("""print('{"x":' + '[' * 10_000)""", "crashed"),
        ("while True: print('x' * 100_000)", "crashed"),
        ("while True: print('x')", "slow"),
        ("import os, threading; os.close(1); threading.Event().wait()", "crashed"),
        ("import threading; threading.Event().wait()", "slow"),
        ("""print('{"ok": false, "reason": "unsigned", "detail": "by nobody"}')""", "unsigned"),
    ],
)
async def test_whatever_the_process_does_is_a_trouble_with_a_reason(terminal, tmp_path, program, reason, monkeypatch):
    monkeypatch.setattr("agent.adapters.trust_store.refresher_process.STOP_GRACE_S", 0.5)
    fake = tmp_path / "program.py"
    fake.write_text(textwrap.dedent(program))
    refresher = process_of(terminal, tmp_path, timeout_s=1.0, program=(sys.executable, str(fake)))
    trouble = await refresher.refresh(NOW, TrustFloor())
    assert isinstance(trouble, TrustTrouble)
    assert trouble.reason == reason
    assert _children() == []


async def test_a_program_that_cannot_be_started_is_a_trouble(terminal, tmp_path):
    trouble = await process_of(terminal, tmp_path, program=("/nowhere/python",)).refresh(NOW, TrustFloor())
    assert trouble == TrustTrouble("crashed", "the refresher cannot be started: No such file or directory")


async def test_a_root_that_is_gone_is_said_as_what_it_is(terminal, tmp_path):
    refresher = process_of(terminal, tmp_path, root=tmp_path / "gone.json")
    trouble = await refresher.refresh(NOW, TrustFloor())
    assert trouble == TrustTrouble("root-invalid", "the installed root cannot be read: No such file or directory")


@given(st.binary(max_size=300))
def test_a_report_is_read_or_refused_but_never_breaks_its_reader(line):
    try:
        result = decode_report(line)
    except ValueError:
        return
    assert isinstance(result, VerifiedBundle | TrustTrouble)


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(-(2**62), 2**62), st.text(max_size=200))
def test_a_report_says_the_same_on_both_sides(timestamp, root, expires, detail):
    for result in (VerifiedBundle("7", "ab" * 32, timestamp, root, expires), TrustTrouble("wrong-version", detail)):
        assert decode_report(encode_report(result)) == result
