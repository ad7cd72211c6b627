"""The composition root: what it publishes, tells and builds, on real parts."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.console.console import Console
from agent.adapters.keys.signing import load_or_create
from agent.adapters.keys.verification import build_key
from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.scanners.presence import Presence
from agent.adapters.service import Service
from agent.adapters.trust_store.bundle import parse_content
from agent.adapters.trust_store.refresher_process import RefresherProcess
from agent.adapters.trust_store.store import TrustStore
from agent.app import run_until
from agent.composition.console import status_of
from agent.composition.ledger import LedgerValues, Paths, open_ledger, publish_registration
from agent.composition.link import changing_of
from agent.composition.online import open_online
from agent.composition.scanners import WHY_CHARS_MAX, Entrance, build_scanner, presence_of
from agent.composition.trust import build_refresher
from agent.config import Config, Environment, parse
from agent.core.trust_list import Trust
from agent.ports import Entered
from fakes.ledger_parts import CountedRandomness
from fakes.trust_content import content
from fakes.world import FixedTrust, ListScanner

HERE = Environment("kiosk", None, None)
SCANNER = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\nstep = "payment"\n'


def config_of(more: str = "") -> Config:
    return parse((SCANNER + more).encode(), HERE)


@pytest.fixture
async def ledger(tmp_path):
    async with ThreadedLedger(open_ledger(config_of(), Paths(tmp_path), CountedRandomness())) as ledger:
        yield ledger


@pytest.mark.parametrize("before", [None, b"", b"\xff\xfe", b"{}\n", b"x" * 100_000])
def test_the_registration_is_written_whatever_was_there_before(tmp_path, before):
    path = tmp_path / "terminal.json"
    if before is not None:
        path.write_bytes(before)
    key = load_or_create(tmp_path / "key.pem")
    publish_registration(key, config_of('[terminal]\nid = "kiosk-7"\nsite = "hall"\n'), path)
    told = json.loads(path.read_text())
    assert told == key.registration("kiosk-7", "hall")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("terminal")] == ["terminal.json"]


def test_a_registration_that_is_right_is_left_alone(tmp_path):
    path, key = tmp_path / "terminal.json", load_or_create(tmp_path / "key.pem")
    publish_registration(key, config_of(), path)
    inode = path.stat().st_ino
    publish_registration(key, config_of(), path)
    assert path.stat().st_ino == inode
    publish_registration(key, config_of('[terminal]\nsite = "elsewhere"\n'), path)
    assert json.loads(path.read_text())["site"] == "elsewhere"


async def test_small_values_outlive_the_ledger_that_kept_them(tmp_path):
    config, paths = config_of(), Paths(tmp_path)
    async with ThreadedLedger(open_ledger(config, paths, CountedRandomness())) as ledger:
        values = LedgerValues(ledger)
        assert await values.get("trust.root_floor") is None
        await values.set("trust.root_floor", b"7")
        await ledger.put_state("a number", 7)
        assert await values.get("a number") is None
    async with ThreadedLedger(open_ledger(config, paths, CountedRandomness())) as ledger:
        assert await LedgerValues(ledger).get("trust.root_floor") == b"7"


async def test_the_store_keeps_its_floor_in_the_ledger(tmp_path, ledger):
    await ledger.put_state("trust.timestamp_floor", b"12")
    store = TrustStore(tmp_path / "trust", build_key=build_key, values=LedgerValues(ledger))
    assert (await store.floor()).timestamp_version == 12


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("", None),
        ('[trust]\nroot = "root.json"\n', None),
        ('[trust]\nurl = "https://trust.example"\n', None),
        ('[trust]\nroot = "root.json"\nurl = "https://trust.example"\n', "https://trust.example"),
        (
            '[uplink.http]\nurl = "https://platform.example/"\n[trust]\nroot = "root.json"\n',
            "https://platform.example/v1/trust",
        ),
    ],
)
def test_the_trust_list_is_fetched_where_the_configuration_says_or_not_at_all(tmp_path, caplog, more, url):
    refresher = build_refresher(config_of(more), Paths(tmp_path))
    assert isinstance(refresher, RefresherProcess) is (url is not None)
    assert ("no trust list can be fetched" in caplog.text) is (url is None)
    if refresher is not None:
        given = dict(zip(refresher._arguments[::2], refresher._arguments[1::2], strict=True))
        assert (given["--url"], given["--root"]) == (url, "root.json")
        assert given["--state"] == str(tmp_path / "trust")


async def test_the_status_of_a_terminal_without_trust_and_platform(ledger):
    config = config_of()
    scanner = build_scanner(config.scanners[0], SystemClock(), presence_of(Console(lines_to=None)))
    scanners = {"front": (scanner, "payment")}
    status = await status_of(config, ledger, FixedTrust(None), None, scanners, Console(lines_to=None), SystemClock())()
    assert status == {
        "terminal": "kiosk",
        "site": "unassigned",
        "ledger": {"id": ledger.ledger_id.hex(), "head_seq": 0},
        "uplink": None,
        "trust": None,
        "scanners": [
            {
                "id": "front",
                "type": "serial",
                "step": "payment",
                "presence": None,
                "scans": 0,
                "repeats": 0,
                "dropped": 0,
            }
        ],
    }
    json.dumps(status)


async def test_the_status_tells_age_and_freshness_of_the_trust_list(ledger):
    files = parse_content(content(9), build_key)
    trust = Trust(files.trust_list, files.policy, files.revoked, 1)
    scanners = {"front": (ListScanner("front", [], presence="absent"), "payment")}
    console = Console(lines_to=None)
    status = await status_of(config_of(), ledger, FixedTrust(trust), None, scanners, console, SystemClock())()
    assert status["trust"] == {
        "version": 9,
        "age_s": trust.age_s(SystemClock().now().now),
        "freshness": "online-only",
        "policy_version": 3,
    }
    assert status["scanners"] == [{"id": "front", "type": "serial", "step": "payment", "presence": "absent"}]


def test_a_scan_is_no_change_that_the_platform_must_hear_of_at_once_and_an_unplugged_scanner_is():
    def said(**scanner: object) -> dict[str, object]:
        return {"uplink": None, "trust": None, "scanners": [{"id": "front", "presence": "present"} | scanner]}

    assert changing_of(said(scans=1)) == changing_of(said(scans=2, faults={"cut": 1}, why="x"))
    assert changing_of(said(scans=1)) != changing_of(said(scans=1, presence="absent"))
    assert changing_of({"scanners": None}) == (None, None, None)


async def test_the_status_says_why_a_scanner_is_absent_in_few_words(ledger):
    console = Console(lines_to=None)
    tell = presence_of(console)
    scanners = {"front": (ListScanner("front", [], presence="absent"), "payment")}
    tell("front", Presence.ABSENT, "x" * 1_000)
    status = await status_of(config_of(), ledger, FixedTrust(None), None, scanners, console, SystemClock())()
    assert status["scanners"][0]["why"] == "x" * WHY_CHARS_MAX


def test_only_scanners_of_programs_take_scans_and_only_those_with_a_trigger_are_triggered():
    class Camera(ListScanner):
        told = None

        def trigger(self, *, on: bool) -> None:
            self.told = on

    camera = Camera("camera", [])
    entrance = Entrance({"camera": (camera, "payment"), "front": (ListScanner("front", []), "payment")})
    assert [entrance.enter(name, b"A", None) for name in ("front", "none")] == [Entered.UNKNOWN] * 2
    assert [entrance.trigger(name, on=True) for name in ("camera", "front", "none")] == [True, False, None]
    assert camera.told is True


class ListeningService(Service):
    """Keeps what it would tell the service manager."""

    def __init__(self) -> None:
        super().__init__(None)
        self.told = list[str]()
        self.when_ready = lambda: None

    def ready(self) -> None:
        self.told.append("ready")
        self.when_ready()

    def stopping(self) -> None:
        self.told.append("stopping")


async def test_ready_is_said_once_every_task_has_begun():
    service, stop = ListeningService(), asyncio.Event()

    async def task(name: str) -> None:
        service.told.append(name)
        await stop.wait()

    service.when_ready = stop.set
    async with asyncio.timeout(5):
        await run_until(stop, {name: task(name) for name in ("first", "last")}, service)
    assert service.told == ["first", "last", "ready", "stopping"]


async def test_ready_is_not_said_where_a_task_fails_at_once():
    service = ListeningService()

    async def fail() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup):
        await run_until(asyncio.Event(), {"failing": fail()}, service)
    assert service.told == []


@pytest.mark.parametrize(
    ("more", "is_asked"),
    [
        ("", False),
        ('[uplink.http]\nurl = "http://127.0.0.1:9"\n', True),
        ('[uplink.http]\nurl = "http://127.0.0.1:9"\n[online]\nbudget_s = 0\n', False),
    ],
)
async def test_the_platform_is_asked_about_codes_over_http_and_within_a_budget(tmp_path, ledger, more, is_asked):
    async with AsyncExitStack() as stack:
        online = await open_online(
            stack, config_of(more), load_or_create(tmp_path / "key.pem"), ledger, FixedTrust(None),
            Console(lines_to=None), SystemClock(), CountedRandomness(),
        )  # fmt: skip
    assert (online is not None) is is_asked
