"""`python -m demo`: start a platform and an agent, play a patient's visit, judge it, and say so in the last line."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from contextlib import aclosing
from enum import Enum
from pathlib import Path

from demo.journal import Journal
from demo.onlookers import Onlookers
from demo.processes import ProgramFailed
from demo.setting import Setting, Usage, running, usage_of
from demo.stage import Stage
from demo.verdict import Verdict, judge
from demo.visit import visit
from platform_stub.issuing.issuer import Issuer
from platform_stub.platform import make_platform


def say(text: str) -> None:
    """Narrate."""
    print(text, flush=True)


def main() -> int:
    """Play the demonstration; 0 only if every scan went as it had to and arrived exactly once."""
    parser = argparse.ArgumentParser(prog="demo", description="Play a patient's visit on real ttys.")
    parser.add_argument("--once", action="store_true", help="play it through without waiting for a person")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    args = parser.parse_args()
    mode = Mode.ONCE if args.once else Mode.STEP_BY_STEP if sys.stdin.isatty() else Mode.STAY_UP
    folder = args.keep or Path(tempfile.mkdtemp(prefix="scanward-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        verdict, usage = asyncio.run(play(folder, mode))
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


class Mode(Enum):
    """ONCE: play it through and end. STEP_BY_STEP: wait for a person. STAY_UP: play it through, end on a signal."""

    ONCE = "once"
    STEP_BY_STEP = "step by step"
    STAY_UP = "stay up"


async def play(folder: Path, mode: Mode = Mode.ONCE) -> tuple[Verdict, Usage]:
    """Start everything, play the visit, stop everything and judge; also return what the agent used."""
    journal = Journal()
    say("Starting a platform, and an agent with two serial scanners.")
    async with running(folder) as setting:
        await show_pages(setting)
        stage = Stage(
            setting=setting,
            issuer=Issuer(setting.platform_folder),
            stranger=make_stranger(folder / "stranger"),
            journal=journal,
            say=say,
            pause=wait_for_a_person if mode is Mode.STEP_BY_STEP else wait_for_nobody,
            onlookers=Onlookers(setting),
        )
        async with aclosing(stage.onlookers):
            await visit(stage)
            await stage.onlookers.scrape()
            usage = usage_of(setting.agent.pid)
        journal.unasked = setting.display.left_over()
        if mode is not Mode.ONCE:
            say("\nBoth programs stay up; look at the pages.")
            await show_pages(setting)
            await (wait_for_a_person("the verdict") if mode is Mode.STEP_BY_STEP else wait_for_a_signal())
    show_table(journal)
    return judge(journal, setting.database, setting.logs), usage


async def show_pages(setting: Setting) -> None:
    """Print where to look. A link lets one browser in, once, within five minutes."""
    say(f"  the platform:  {setting.platform_url}/")
    say(f"  the kiosk:     {await setting.link('kiosk')}")
    say(f"  the staff:     {await setting.link('staff')}")
    say(f"  (each link opens one browser; another: .venv/bin/scanward console link --config {setting.config})")


def make_stranger(folder: Path) -> Issuer:
    """Return an issuer whose keys no trust list of the platform names."""
    if not (folder / "platform.toml").exists():
        make_platform(folder, "9999", int(time.clock_gettime(time.CLOCK_REALTIME)))
    return Issuer(folder)


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


async def wait_for_a_signal() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    say("      Ctrl-C ends them and prints the verdict.")
    await stop.wait()


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
