"""`scanward-platform import`: keys and revocations of public trust lists into what the platform publishes.

The law: nothing goes unasked, and no option is passed over. What may follow what: issuing/following.py.
"""

import argparse
import sys
from pathlib import Path

from platform_stub import clock
from platform_stub.issuing import imported
from platform_stub.issuing.following import REFUSED_SHOWN_MAX, told
from platform_stub.issuing.imported import ImportInvalid, read_prefixes, read_trust_list
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout


class ImportUsageWrong(Exception):
    """The arguments do not fit together; the message says how."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser's."""
    take = commands.add_parser("import", help="take keys and revocations of public trust lists, and publish")
    take.add_argument("directory", type=Path, metavar="DIR")
    take.add_argument(
        "--from", dest="trust_list", type=Path, metavar="FILE", help="the trust-list.json all imports went into"
    )
    take.add_argument("--revoked", type=Path, metavar="FILE", help="a revoked.bin; takes the place of the last")
    take.add_argument("--withdraw-missing", action="store_true", help="also take out sources that --from does not have")
    take.add_argument("--older-lists", action="store_true", help="take --from's card revocation lists, older or not")
    take.add_argument("--unrevoke-missing", action="store_true", help="let revocations go that --revoked does not have")
    take.add_argument("--withdraw", action="store_true", help="instead: take out all that was imported")
    take.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Take, publish and tell. Raises ImportUsageWrong, ImportInvalid, LayoutInvalid, KeyUnusable, OSError."""
    _require_fit(args)
    empty = imported.encode(imported.Imported())
    trust_list = empty if args.withdraw else args.trust_list and read_trust_list(args.trust_list)
    revoked = b"" if args.withdraw else args.revoked and read_prefixes(args.revoked)
    if args.trust_list is not None and not (parsed := imported.parse_imported(trust_list)).keys:
        for line in parsed.refused[:REFUSED_SHOWN_MAX]:
            print(f"refused {line}", file=sys.stderr)
        raise ImportInvalid(f"{args.trust_list}: no key of a public family could be taken; --withdraw takes all out")
    layout = Layout(args.directory)
    layout.read_issuer()
    version, before, now, unrevoked = Repository(layout).take(
        trust_list, revoked, clock.now_s(), withdraws=args.withdraw or args.withdraw_missing,
        takes_older=args.older_lists, unrevokes=args.withdraw or args.unrevoke_missing,
    )  # fmt: skip
    for line in told(before, now):
        print(line)
    if unrevoked:
        print(f"{unrevoked} revocations of before are gone: what they revoked is valid again")
    print(f"{len(now.revocations)} card revocation lists; published as version {version}")


def _require_fit(args: argparse.Namespace) -> None:
    """Check that each option has the file that it speaks of."""
    if args.withdraw == bool(args.trust_list or args.revoked):
        raise ImportUsageWrong("give --from FILE, --revoked FILE or both; or --withdraw alone")
    for name, is_given, file, has_file in (
        ("--withdraw-missing", args.withdraw_missing, "--from", args.trust_list),
        ("--older-lists", args.older_lists, "--from", args.trust_list),
        ("--unrevoke-missing", args.unrevoke_missing, "--revoked", args.revoked),
    ):
        if is_given and not has_file:
            raise ImportUsageWrong(f"{name} belongs to {file} FILE, which is not given; nothing was changed")
