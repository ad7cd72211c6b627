"""`scanward-platform`: make, run and feed the small platform. Trouble is one clear line and exit status 1; usage 2."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import segno

from platform_stub import clock, importing, keys
from platform_stub import commands as terminal_commands
from platform_stub.importing import ImportUsageWrong
from platform_stub.issuing import issuer, repository
from platform_stub.issuing.imported import ImportInvalid
from platform_stub.issuing.issuer import Issuer
from platform_stub.issuing.national import NationalCodes
from platform_stub.issuing.repository import Repository
from platform_stub.keys import KeyUnusable
from platform_stub.layout import Layout, LayoutInvalid
from platform_stub.mqtt import options as mqtt_options
from platform_stub.mqtt.credentials import PLATFORM_USER, PasswordUnusable, password_of
from platform_stub.mqtt.options import MqttUsageWrong
from platform_stub.platform import MqttWay, make_platform, serve
from platform_stub.registry import RegistrationInvalid, Registry, register
from platform_stub.storage import terminal_statements
from platform_stub.storage.database import DatabaseBroken, Row
from platform_stub.storage.databases import open_database
from platform_stub.storage.place import PlaceInvalid, Server, choose_place
from platform_stub.web.tables import time_of
from platform_stub.web.terminal_rows import command_state

DEFAULT_ISSUER = "4420"
DEFAULT_LISTEN = "127.0.0.1:8080"
QR_SCALE = 6
COMMANDS_LISTED_MAX = 50
DELAY_S_MAX = 60.0
READER_GONE, INTERRUPTED = 141, 130  # as of a program that SIGPIPE or SIGINT ends (128 + 13, + 2)


class UsageWrong(Exception):
    """The arguments do not fit together; the message says how."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        try:
            status = _call(_parser().parse_args(argv))
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        if argv is not None:  # a program called this: it decides
            raise
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)  # so a shell's script ends, too
        return INTERRUPTED  # the first process of a container outlives it
    except BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
        return READER_GONE
    except OSError as error:
        _drop_output()
        with suppress(OSError):
            print(f"scanward-platform: {error.strerror or error}: the output is not whole", file=sys.stderr)
        return 1
    return status


def _call(args: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], None] = args.command
    status = 0
    try:
        command(args)
    except* BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
        status = READER_GONE
    except* (UsageWrong, ImportUsageWrong, MqttUsageWrong, PlaceInvalid) as group:
        print(f"scanward-platform: {_first(group)}", file=sys.stderr)
        status = 2
    except* (
        LayoutInvalid, KeyUnusable, RegistrationInvalid, ImportInvalid, DatabaseBroken, PasswordUnusable, OSError,
    ) as group:  # fmt: skip
        print(f"scanward-platform: {_first(group)}", file=sys.stderr)
        status = 1
    return status


def _drop_output() -> None:
    """Let what is left go nowhere, without a word."""
    with suppress(OSError):  # a program's own stand-in has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scanward-platform", description="A small but real Scanward platform.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = commands.add_parser("init", help="make keys, policy and trust repository in an empty directory")
    init.add_argument("directory", type=Path, metavar="DIR")
    init.add_argument("--issuer", default=DEFAULT_ISSUER, help="platform code in the codes it issues (%(default)s)")
    init.set_defaults(command=_init)

    run = commands.add_parser("run", help="serve the API and the page; makes the platform where DIR is empty")
    run.add_argument("directory", type=Path, metavar="DIR")
    run.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="where (%(default)s); port 0: any")
    mqtt_options.add(run)
    run.add_argument(
        "--database",
        metavar="URL",
        help="keep records in PostgreSQL, postgresql://USER@HOST/DATABASE; remembered in DIR",
    )
    run.add_argument(
        "--database-password-file", type=Path, metavar="FILE", help="where its password is; remembered too"
    )
    run.add_argument(
        "--issuer-delay",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="play an issuer that takes S seconds to say whether a national code is genuine; above 1: in vain",
    )
    run.set_defaults(command=_run)

    mint = commands.add_parser("mint", help="print a health code, as text and as QR")
    _add_mint_arguments(mint)
    mint.set_defaults(command=_mint)

    registration = commands.add_parser("register", help="register a terminal from its JSON file")
    registration.add_argument("directory", type=Path, metavar="DIR")
    registration.add_argument("file", type=Path, metavar="FILE")
    registration.set_defaults(command=_register)

    _add_terminal_commands(commands)

    revoke = commands.add_parser("revoke", help="revoke a card or an issuer key, and publish")
    revoke.add_argument("--dir", type=Path, required=True, dest="directory", metavar="DIR")
    what = revoke.add_mutually_exclusive_group(required=True)
    what.add_argument("--card", type=_hex(issuer.CARD_BYTES), metavar="HEX", help="card id, 64 hex digits")
    what.add_argument("--kid", type=_hex(8), metavar="HEX", help="key id of an issuer key, 16 hex digits")
    revoke.set_defaults(command=_revoke)

    publish = commands.add_parser("publish", help="sign keys, revocations and policy as a new version")
    publish.add_argument("directory", type=Path, metavar="DIR")
    publish.set_defaults(command=_publish)
    importing.add_parser(commands)
    return parser


def _add_terminal_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    acl = commands.add_parser("broker-acl", help="print Mosquitto's access rules for the registered terminals")
    acl.add_argument("directory", type=Path, metavar="DIR")
    acl.add_argument("--platform-user", default=PLATFORM_USER, metavar="NAME", help="the platform's user (%(default)s)")
    acl.set_defaults(command=_broker_acl)

    command = commands.add_parser("command", help="ask something of a terminal; the running platform hands it out")
    command.add_argument("directory", type=Path, metavar="DIR")
    command.add_argument("--terminal", required=True, metavar="ID")
    command.add_argument("--kind", required=True, choices=terminal_commands.KINDS)
    command.add_argument(
        "--life",
        type=int,
        default=terminal_commands.LIFE_S_DEFAULT,
        metavar="S",
        help="seconds until over (%(default)s)",
    )
    command.set_defaults(command=_command)

    told = commands.add_parser("commands", help="list the newest commands and what came of them")
    told.add_argument("directory", type=Path, metavar="DIR")
    told.set_defaults(command=_commands)


def _add_mint_arguments(mint: argparse.ArgumentParser) -> None:
    mint.add_argument("--dir", type=Path, required=True, dest="directory", metavar="DIR")
    mint.add_argument("--type", choices=("static", "dynamic"), required=True)
    whose = mint.add_mutually_exclusive_group(required=True)
    whose.add_argument("--card", type=_hex(issuer.CARD_BYTES), metavar="HEX", help="card id, 64 hex digits")
    whose.add_argument("--person", metavar="LABEL", help="an invented person; the same label gives the same card")
    mint.add_argument("--alg", choices=("ES256", "EdDSA", "SM2"), default="ES256")
    mint.add_argument("--life", type=int, metavar="S", help="seconds until it expires (dynamic: 60, at most 120)")
    mint.add_argument("--at", type=int, metavar="UNIX_S", help="when it is issued (now)")
    mint.add_argument("--national", action="store_true", help="the unsigned national text instead of EHC1")
    mint.add_argument("--png", type=Path, metavar="FILE", help="write the QR code as PNG")
    mint.add_argument("--svg", type=Path, metavar="FILE", help="write the QR code as SVG")
    mint.add_argument("--terminal", action="store_true", help="show the QR code in the terminal")


def _init(args: argparse.Namespace) -> None:
    make_platform(args.directory, args.issuer, clock.now_s())
    print(f"{args.directory}: a platform for issuer {args.issuer}; terminals start from {args.directory / 'root.json'}")


def _run(args: argparse.Namespace) -> None:
    host, port = _host_and_port(args.listen)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    mqtt = mqtt_options.read(args)
    layout = Layout(args.directory)
    if not layout.is_platform() and layout.is_vacant():
        make_platform(args.directory, DEFAULT_ISSUER, clock.now_s())
    layout.read_issuer()
    place = choose_place(layout, args.database, args.database_password_file)
    asyncio.run(_serve(args.directory, host, port, mqtt, place, args.issuer_delay))


async def _serve(
    directory: Path, host: str, port: int, mqtt: MqttWay, place: Path | Server, issuer_delay_s: float
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def ready(address: str) -> None:
        print(f"page: {address}", flush=True)

    def answering(address: str) -> None:
        print(f"mqtt: {address}", flush=True)

    await serve(
        directory, host, port, now_ms=clock.now_ms, stop=stop, ready=ready, mqtt=mqtt, answering=answering,
        place=place, issuer_delay_s=issuer_delay_s,
    )  # fmt: skip


def _mint(args: argparse.Namespace) -> None:
    card = args.card if args.card is not None else issuer.card_of(args.person)
    at_s = args.at if args.at is not None else clock.now_s()
    try:
        text = _national_text(args, card, at_s) if args.national else _signed_text(args, card, at_s)
    except ValueError as error:
        raise UsageWrong(str(error)) from error
    print(text)
    code = segno.make(text, error="m", micro=False, boost_error=False)
    for path, kind in ((args.png, "png"), (args.svg, "svg")):
        if path is not None:
            code.save(str(path), kind=kind, scale=QR_SCALE)
    if args.terminal:
        code.terminal(out=sys.stdout, compact=True)


def _signed_text(args: argparse.Namespace, card: bytes, at_s: int) -> str:
    mint = Issuer(args.directory)
    if args.type == "dynamic":
        return mint.mint_dynamic(card, at_s, args.life if args.life is not None else 60, args.alg)
    return mint.mint_static(card, at_s, at_s + args.life if args.life is not None else None, args.alg)


def _national_text(args: argparse.Namespace, card: bytes, at_s: int) -> str:
    layout = Layout(args.directory)
    layout.read_issuer()
    codes = NationalCodes(layout)
    if args.type == "static":
        return codes.mint_static(card)
    return codes.mint_dynamic(card, at_s, args.life if args.life is not None else 60)


def _register(args: argparse.Namespace) -> None:
    layout = Layout(args.directory)
    layout.read_issuer()
    terminal = register(layout.terminals, args.file)
    password_of(layout.mqtt, terminal.id)
    print(f"terminal {terminal.id} of site {terminal.site}, key {terminal.kid.hex()}")
    print(mqtt_options.section(layout.mqtt, terminal.id))


def _broker_acl(args: argparse.Namespace) -> None:
    layout = Layout(args.directory)
    layout.read_issuer()
    print(mqtt_options.access_rules(layout.terminals, args.platform_user))


def _command(args: argparse.Namespace) -> None:
    layout = Layout(args.directory)
    layout.read_issuer()
    registry = Registry(layout.terminals)
    registry.scan()
    if registry.find(args.terminal) is None:
        raise UsageWrong(f"no terminal {args.terminal} is registered in {layout.terminals}")
    repository.Repository(layout).complete(clock.now_s())
    key = keys.read_ed25519(layout.keys, keys.COMMANDS_KEY)
    try:
        command = terminal_commands.sign_command(key, args.terminal, args.kind, clock.now_ms(), args.life)
    except terminal_commands.CommandInvalid as error:
        raise UsageWrong(str(error)) from error
    terminal_commands.leave(layout.commands, command)
    print(f"command {command.id.hex()} for {args.terminal}: {args.kind}, over in {args.life} s")


def _commands(args: argparse.Namespace) -> None:
    layout = Layout(args.directory)
    layout.read_issuer()
    place = choose_place(layout)
    is_made = isinstance(place, Server) or place.exists()
    rows = asyncio.run(_read_commands(place)) if is_made else []
    for row in rows:
        print("  ".join((row[0].hex(), row[1], row[2], time_of(row[3]), command_state(row, clock.now_ms()).text)))
        for line in (row[7] or "").splitlines():
            print(f"    {_printable(line)}")
    left = len(terminal_commands.left(layout.commands))
    print(f"{len(rows)} commands" + (f"; {left} wait for the platform to run" if left else ""))


async def _read_commands(place: Path | Server) -> list[Row]:
    async with open_database(place) as database:
        return await database.read(terminal_statements.COMMANDS_SHOWN, (COMMANDS_LISTED_MAX,))


def _printable(text: str) -> str:
    """Return a terminal's text without what could play tricks on a screen."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _revoke(args: argparse.Namespace) -> None:
    prefix = repository.card_prefix(args.card) if args.card else repository.key_prefix("ehc", args.kid)
    version = _repository(args.directory).revoke(prefix, clock.now_s())
    print(f"revoked; published as version {version}")


def _publish(args: argparse.Namespace) -> None:
    print(f"published as version {_repository(args.directory).publish(clock.now_s())}")


def _repository(directory: Path) -> Repository:
    layout = Layout(directory)
    layout.read_issuer()
    return Repository(layout)


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise UsageWrong(f"--listen wants HOST:PORT, not {listen!r}")
    return host.strip("[]"), int(port)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= DELAY_S_MAX:  # also false for nan
        raise argparse.ArgumentTypeError(f"0 to {DELAY_S_MAX:.0f} seconds are wanted")
    return seconds


def _hex(size: int) -> Callable[[str], bytes]:
    def parse(text: str) -> bytes:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != size or len(text) != 2 * size:
            raise argparse.ArgumentTypeError(f"exactly {2 * size} hex digits are wanted")
        return value

    return parse


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
