"""An agent that hangs for real where it is told to, on SIGUSR1: its loop, its ledger's thread, a reader or a task.

Everything else is `scanward run`, its own parts in its own process. Usage: hanging_agent.py WHAT CONFIG
"""

import asyncio
import gc
import select
import signal
import sys
import threading

from agent.adapters.ledger.owner import ThreadedLedger
from agent.adapters.scanners.serial import SerialScanner
from agent.cli import main


def the(kind):
    """Return the one living object of a kind."""
    (one,) = [thing for thing in gc.get_objects() if isinstance(thing, kind)]
    return one


def hang_in_the_loop():
    """Never return to the event loop."""
    select.select([], [], [])


def hang_the_ledger():
    """Give the ledger's thread work that never ends."""
    the(ThreadedLedger)._executor.submit(threading.Event().wait)


def lose_the_reader():
    """Leave the scanner as an exception in its callback would: nothing looks for the device any more."""
    the(SerialScanner)._lookout.stop()


def lose_a_task():
    """Have a task end quietly: a task group does not mind one that was cancelled."""
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "housekeeping"]
    task.cancel()


HANGS = {"loop": hang_in_the_loop, "ledger": hang_the_ledger, "reader": lose_the_reader, "task": lose_a_task}

if __name__ == "__main__":
    what, config = sys.argv[1:]
    signal.signal(signal.SIGUSR1, lambda _number, _frame: HANGS[what]())
    sys.exit(main(["run", "--quiet", "--config", config]))
