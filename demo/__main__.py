"""`python -m demo`: start a platform and an agent, play a patient's visit, judge it, and say so in the last line."""

import argparse
import asyncio
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from demo.journal import Journal
from demo.processes import ProgramFailed
from demo.setting import Usage, running, usage_of
from demo.stage import Stage
from demo.verdict import Verdict, judge
from demo.visit import visit
from platform_stub.issuer import Issuer
from platform_stub.platform import make_platform

DELIVERY_S_MAX = 60.0


def say(text: str) -> None:
    """Narrate."""
    print(text, flush=True)


def main() -> int:
    """Play the demonstration; 0 only if every scan went as it had to and arrived exactly once."""
    parser = argparse.ArgumentParser(prog="demo", description="Play a patient's visit on real ttys.")
    parser.add_argument("--once", action="store_true", help="play it through without waiting for a person")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    args = parser.parse_args()
    is_interactive = not args.once and sys.stdin.isatty()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="scanward-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        verdict, usage = asyncio.run(play(folder, is_interactive=is_interactive))
    except ProgramFailed as error:
        say(f"\nthe demonstration broke off: {error}")
        return 1
    except TimeoutError:
        say("\nthe demonstration broke off: something did not happen in time")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if args.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    for fault in verdict.faults:
        say(f"FAULT: {fault}")
    say(f"The agent used {usage}.")
    say(str(verdict))
    return 0 if verdict.is_good else 1


async def play(folder: Path, *, is_interactive: bool) -> tuple[Verdict, Usage]:
    """Start everything, play the visit, stop everything and judge; also return what the agent used."""
    journal = Journal()
    say("Starting a platform, and an agent with two serial scanners.")
    async with running(folder) as setting:
        say(f"The platform's page: {setting.platform_url}/")
        say(f"A screen for the agent: .venv/bin/scanward console link --config {folder / 'agent.toml'}")
        stage = Stage(
            setting=setting,
            issuer=Issuer(setting.platform_folder),
            stranger=make_stranger(folder / "stranger"),
            journal=journal,
            say=say,
            pause=wait_for_a_person if is_interactive else wait_for_nobody,
        )
        await visit(stage)
        await delivered(journal, setting.database)
        journal.unasked = setting.display.left_over()
        usage = usage_of(setting.agent.pid)
        if is_interactive:
            say("\nBoth programs stay up; look at the pages.")
            await wait_for_a_person("the verdict")
    show_table(journal)
    return judge(journal, setting.database, setting.logs), usage


def make_stranger(folder: Path) -> Issuer:
    """Return an issuer whose keys no trust list of the platform names."""
    if not (folder / "platform.toml").exists():
        make_platform(folder, "9999", int(time.clock_gettime(time.CLOCK_REALTIME)))
    return Issuer(folder)


async def delivered(journal: Journal, database: Path) -> None:
    """Give the agent time to deliver; whether it did is the verdict's business."""
    shown = {one.identity for one in journal.presented if one.identity is not None}
    deadline = time.monotonic() + DELIVERY_S_MAX
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT ledger_id, seq FROM records").fetchall()
        if shown <= {(bytes(ledger_id).hex(), seq) for ledger_id, seq in rows}:
            return
        await asyncio.sleep(0.1)


async def wait_for_a_person(what: str) -> None:
    """Wait for Enter, so that Ctrl-C still works meanwhile."""
    print(f"      next: {what}  [Enter] ", end="", flush=True)
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await pressed.wait()
        sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin)


async def wait_for_nobody(what: str) -> None:
    """Go on at once."""


def show_table(journal: Journal) -> None:
    """Print what was presented, what had to come of it and what the display showed."""
    say(f"\n{'':2} {'what':32} {'scanner':13} {'expected':34} {'shown':40} record")
    for number, one in enumerate(journal.presented, 1):
        mark = "ok" if one.is_as_expected else "!!"
        expected = f"{one.answer} {one.reason}".strip()
        shown = f"{one.shown['answer']} {one.shown['reason']}" if one.shown else "nothing"
        seq = one.identity[1] if one.identity else "-"
        say(f"{number:2} {one.what:32} {one.scanner:13} {expected:34} {shown:40} #{seq} {mark}")
    say("")


if __name__ == "__main__":
    sys.exit(main())
