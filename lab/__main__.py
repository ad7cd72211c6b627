"""`python -m lab`: boot the machine, have every scanner scan on real drivers, judge, and say so in the last line.

Exit status: 0 all exact or refused aloud, 1 something was wrong, 2 the laboratory cannot be built here.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from lab.journal import read_heard, read_sent
from lab.machine import KERNELS, Ended, Missing, find_parts, run
from lab.verdict import ROWS_MIN, Verdict, judge

CODE = Path(__file__).parents[1]
TIME_S_MAX = 420.0
CONSOLE_LINES_SHOWN = 60
FAULTS_SHOWN = 40


def main(arguments: list[str] | None = None) -> int:
    """Run the laboratory."""
    parser = argparse.ArgumentParser(
        prog="lab", description="Every scanner on real kernel drivers, in an emulated machine."
    )
    parser.add_argument("plays", nargs="*", help="only these, for work on one of them; the verdict misses the others")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    args = parser.parse_args(arguments)
    try:
        parts = find_parts(KERNELS)
    except Missing as error:
        print(f"the laboratory cannot be built here: {error}", file=sys.stderr)
        return 2
    folder = (args.keep or Path(tempfile.mkdtemp(prefix="scanward-lab-"))).absolute()
    try:
        if (folder / "journal").exists():
            shutil.rmtree(folder / "journal")  # an older run's lines must not count
        print(f"Booting {parts.kernel.name} with {parts.qemu}.", flush=True)
        print(f"The load of this machine is {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.", flush=True)
        ended = run(parts, folder, CODE, Path(sys.executable), " ".join(args.plays), TIME_S_MAX)
        return conclude(folder / "journal", ended)
    finally:
        if args.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def conclude(journal: Path, ended: Ended) -> int:
    """Print table, faults and the last line; return the exit status."""
    verdict = judge(read_sent(journal / "sent"), read_heard(journal / "heard"))
    broken = guest_faults(journal, ended)
    print("\n".join(ended.console.splitlines()[-CONSOLE_LINES_SHOWN:]))
    show_table(verdict)
    for fault in [*broken, *verdict.faults][:FAULTS_SHOWN]:
        print(f"FAULT: {fault}")
    print(f"The machine ran for {ended.took_s:.0f} s; the load is {os.getloadavg()[0]:.1f} now.")
    print(verdict)
    return 0 if verdict.is_good and not broken else 1


def guest_faults(journal: Path, ended: Ended) -> list[str]:
    """Say what broke off in the machine: a play that failed, or the whole of it."""
    faults = [f"the machine was stopped after {ended.took_s:.0f} s"] if ended.is_late else []
    if not (journal / "complete").exists():
        faults.append("the machine did not come to its end")
    return faults + [
        f"{path.name.removeprefix('failed-')} broke off: {path.read_text().strip().splitlines()[-1]}"
        for path in sorted(journal.glob("failed-*"))
    ]


def show_table(verdict: Verdict) -> None:
    """Print what came of the scans, row by row, and as what they were refused."""
    print(f"\n{'row':18}{'sent':>7}{'exact':>7}{'refused':>9}{'silently wrong':>16}  refused as")
    for name in [*ROWS_MIN, *(verdict.rows.keys() - ROWS_MIN.keys())]:
        if name in verdict.rows:
            row = verdict.rows[name]
            faults = ", ".join(f"{count} {fault}" for fault, count in sorted(row.faults.items()))
            needless = f" ({row.needless} without need)" if row.needless else ""
            print(f"{name:18}{row.scans:7}{row.exact:7}{row.refused:9}{row.silent:16}  {faults}{needless}")
    print()


if __name__ == "__main__":
    sys.exit(main())
