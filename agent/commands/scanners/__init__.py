"""`scanward scanners`: the commands of whoever wires a scanner: what is there, does it read, how must it be set.

The law: what a code holds is shown only where `--show` asks for it, and is kept nowhere.
"""

import argparse
import importlib
from collections.abc import Callable

ACTIONS = {
    "list": ("listing", "every device that could be a scanner, with the section to paste"),
    "test": ("trial", "open one scanner, and show what each scan of it is"),
    "calibrate": ("calibrating", "print the calibration sheet, or read it with a scanner and say how to set it"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (module, line) in ACTIONS.items():
        action = importlib.import_module(f"agent.commands.scanners.{module}")
        sub = actions.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        action.add_arguments(sub)
        sub.set_defaults(action_run=action.run)


def run(args: argparse.Namespace) -> int:
    """Do one action; return its exit status."""
    action: Callable[[argparse.Namespace], int] = args.action_run
    return action(args)
