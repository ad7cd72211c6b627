"""`python -m lab.guest`: inside the machine, wake udev, plug and scan row by row, and leave the journals behind."""

import argparse
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.guest import agent_rows, camera_rows, hid_rows, keyboard_rows, mixed_rows, serial_rows, uinput, vivid
from lab.guest.bench import FOLDER, Bench

RULES = Path(__file__).parents[2] / "systemd/udev"
PLAYS: dict[str, Callable[[Bench], None]] = {
    "serial": serial_rows.play,
    "keyboard": keyboard_rows.play,
    "keyboard-usb": keyboard_rows.play_usb,
    "hid": hid_rows.play,
    "hid-usb": hid_rows.play_usb,
    "mixed": mixed_rows.play,
    "camera": camera_rows.play,
}


def main() -> int:
    """Play the rows that are asked for; 0 where all could be played. The verdict is the host's."""
    parser = argparse.ArgumentParser(prog="lab.guest")
    parser.add_argument("plays", nargs="*", choices=[*PLAYS, "agent", []])
    plays = parser.parse_args().plays or [*PLAYS, "agent"]
    wake_udev()
    os.sched_setaffinity(
        0, {0}
    )  # driver and agent: a host that stops this processor stops both, and no key is lost by it
    bench = Bench(settings_of(plays))
    failed = 0
    for name in plays:
        if name in PLAYS:
            failed += not played(name, PLAYS[name], bench)
    status = bench.listener.stop()
    if "agent" in plays:
        failed += not played("agent", agent_rows.play, bench)
    bench.say(f"the listener ended with {status}")
    if status != 0:
        (FOLDER / "failed-listener").write_text(f"the agent's scanners ended with {status}")
    (FOLDER / "complete").touch()
    return 1 if failed or status else 0


def played(name: str, play: Callable[[Bench], None], bench: Bench) -> bool:
    """Play one; say whether it could be played to its end."""
    try:
        play(bench)
    except Exception:  # noqa: BLE001 — the other rows are played nevertheless; the missing ones are told
        (FOLDER / f"failed-{name}").write_text(traceback.format_exc())
        traceback.print_exc()
        return False
    return True


def settings_of(plays: list[str]) -> list[dict[str, Any]]:
    """Return the scanners that these plays need."""
    rooms = {"serial": serial_rows, "keyboard": keyboard_rows, "hid": hid_rows, "camera": camera_rows}
    needed = {"serial", "keyboard", "hid"} if "mixed" in plays else set[str]()
    needed |= {name for name in rooms if any(play.startswith(name) for play in plays)}
    return [one for name, room in rooms.items() if name in needed for one in room.settings()]


def wake_udev() -> None:
    """Have devices named as on a terminal: the system's udev with the rules that the agent installs."""
    rules = Path("/run/udev/rules.d")
    rules.mkdir(parents=True)
    for path in RULES.rglob("*.rules"):
        (rules / path.name).write_text(path.read_text().replace('GROUP="scanward-scanners", ', ""))
    (rules / "70-lab.rules").write_text(uinput.RULE + vivid.RULE)
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True, env={"PATH": os.defpath})


if __name__ == "__main__":
    sys.exit(main())
