"""The configuration: one TOML file into each component's own frozen Settings, and the few facts the environment gives.

Unknown keys are errors; every error is one line that names the place and what to do; secrets are files, never values.
With agent/cli.py the only reader of the environment. What a setting means is its component's.
"""

import math
import os
import re
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import inspect

from agent.adapters.console.server import Settings as ConsoleSettings
from agent.adapters.ledger.settings import Settings as LedgerSettings
from agent.adapters.scanners.app import Settings as AppSettings
from agent.adapters.scanners.camera_settings import Settings as CameraSettings
from agent.adapters.scanners.hid_settings import Settings as HidSettings
from agent.adapters.scanners.keyboard_settings import Settings as KeyboardSettings
from agent.adapters.scanners.network_settings import Settings as NetworkSettings
from agent.adapters.scanners.replay import Settings as ReplaySettings
from agent.adapters.scanners.serial import Settings as SerialSettings
from agent.adapters.trust_store.store import Settings as TrustSettings
from agent.adapters.uplinks.http import SCHEMES as HTTP
from agent.adapters.uplinks.http import Settings as HttpSettings
from agent.adapters.uplinks.mqtt import Settings as MqttSettings
from agent.adapters.uplinks.urls import url_fault
from agent.core.codes.hospital_card import CardPatterns, read_patterns
from agent.core.steps import Check
from agent.tasks.carriers import Settings as CarrierSettings
from agent.tasks.delivery import Settings as DeliverySettings
from agent.tasks.heartbeat import Settings as HeartbeatSettings
from agent.tasks.online import Settings as OnlineSettings
from agent.tasks.requests import Settings as RequestsSettings

CONFIG_BYTES_MAX = 262_144
ERROR_CHARS_MAX = 1_000
NUMBER_MIN, NUMBER_MAX = 0.001, 1e9  # of any number that may have a decimal point, unless it is 0
SECONDS_MAX = 31_536_000.0  # a year, of any that counts seconds
SCANNERS_MAX = 16
SITES_RESERVED, TERMINALS_RESERVED = frozenset({"trust"}), frozenset({"seen"})  # docs/protocol/README.md, topics
STATE_DIRECTORY_DEFAULT = "scanward-state"
TERMINAL_ID_DEFAULT = "terminal-1"
CREDENTIALS_FOLDER = "/etc/scanward/credentials"  # whose files the unit hands over, each as scanward_FILE
CREDENTIAL_PREFIX = "credential:"
ADD_A_SCANNER = (
    'no scanner: add a section [[scanners]] with id = "front", type = "serial" and path = "/dev/serial/by-id/..."'
)

Id = Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,32}$")]  # cose.cddl
StepName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,31}$")]
StepNames = Annotated[str, msgspec.Meta(pattern=r"^(\*|[a-z][a-z0-9-]{0,31})$")]
CodeKind = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}\.(static|dynamic|any)$")]
ScannerSettings = (
    SerialSettings | HidSettings | KeyboardSettings | CameraSettings | NetworkSettings | AppSettings | ReplaySettings
)


class ConfigInvalid(Exception):
    """The configuration cannot be used; the text is one line: the file, the place in it, what is wrong, what to do."""


class Terminal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[terminal]. id: as the platform knows it; left out, the host's name. site: the institution."""

    id: Id
    site: Id = "unassigned"
    step: StepName = "registration"


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[state]. directory: of the ledger and the trust list; left out, systemd's, else ./scanward-state."""

    directory: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{1,4096}$")]


class Uplink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[uplink]. The ways to a platform, mqtt preferred; none: decisions are stored, nothing is delivered."""

    mqtt: MqttSettings | None = None
    http: HttpSettings | None = None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[policy]. refuse: by step name ("*" for all), code kinds refused here that the signed policy accepts.

    checked: likewise, what must not have been left unchecked.
    """

    refuse: dict[StepNames, frozenset[CodeKind]] = {}
    checked: dict[StepNames, frozenset[Check]] = {}


class Codes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[codes]. hospital_cards: patterns of the site's own cards (agent/core/codes/hospital_card.py)."""

    hospital_cards: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.cards()

    def cards(self) -> CardPatterns:
        """Return the patterns, ready to be tried. Raises ValueError where one cannot be used."""
        return read_patterns(self.hospital_cards)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration."""

    terminal: Terminal
    state: State
    scanners: Annotated[tuple[ScannerSettings, ...], msgspec.Meta(max_length=SCANNERS_MAX)] = ()
    uplink: Uplink = Uplink()
    carriers: CarrierSettings = CarrierSettings()
    delivery: DeliverySettings = DeliverySettings()
    online: OnlineSettings = OnlineSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    ledger: LedgerSettings = LedgerSettings()
    console: ConsoleSettings = ConsoleSettings()
    requests: RequestsSettings = RequestsSettings()
    trust: TrustSettings = TrustSettings()
    policy: Policy = Policy()
    codes: Codes = Codes()

    @property
    def state_directory(self) -> Path:
        """Where the ledger and the trust list are."""
        return Path(self.state.directory)

    def step_of(self, scanner: ScannerSettings) -> str:
        """Return the medical step a scanner serves."""
        return scanner.step or self.terminal.step


@dataclass(frozen=True, slots=True)
class Environment:
    """What the machine says. state_directory, notify_socket, credentials_directory: as systemd gives them, or None.

    watchdog_s: how long systemd waits for a sign of life of this very process; None where it does not.
    """

    host_name: str
    state_directory: str | None
    notify_socket: str | None
    credentials_directory: str | None = None
    watchdog_s: float | None = None


def read_environment() -> Environment:
    """Read the environment; nothing else in the agent does."""
    variables = os.environ  # noqa: TID251 — the one place
    directories = variables.get("STATE_DIRECTORY", "")  # systemd gives a list
    return Environment(
        host_name=socket.gethostname(),
        state_directory=directories.partition(":")[0] or None,
        notify_socket=variables.get("NOTIFY_SOCKET") or None,
        credentials_directory=variables.get("CREDENTIALS_DIRECTORY") or None,
        watchdog_s=_watchdog_s(variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", "")),
    )


def _watchdog_s(usec: str, pid: str) -> float | None:
    """Read WATCHDOG_USEC and WATCHDOG_PID (sd_watchdog_enabled(3)); a child inherits them and is not meant."""
    if not (usec.isascii() and usec.isdecimal() and len(usec) < 19 and int(usec) > 0):
        return None
    return int(usec) / 1_000_000 if pid in {"", str(os.getpid())} else None


def load(path: Path, environment: Environment | None = None) -> Config:
    """Read a configuration file. Raises ConfigInvalid."""
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be read ({error.strerror}): name a readable file with --config") from error
    try:
        return parse(data, environment or read_environment())
    except ConfigInvalid as error:
        line = "".join(c if c.isprintable() else " " for c in f"{path}: {error}")  # a key may hold anything
        raise ConfigInvalid(line[:ERROR_CHARS_MAX]) from error.__cause__


def parse(data: bytes, environment: Environment) -> Config:
    """Read a configuration's text. Raises ConfigInvalid, its text without the file's name."""
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(f"longer than {CONFIG_BYTES_MAX} bytes: this is not a configuration")
    try:
        raw = _with_credentials(tomllib.loads(data.decode()), "$", environment.credentials_directory)
    except RecursionError as error:
        raise ConfigInvalid("not a configuration: it is nested too deeply") from error
    except ValueError as error:  # also a number of thousands of digits
        raise ConfigInvalid(f"not TOML: {error}") from error
    _give_default(raw, "terminal", "id", _terminal_id(environment.host_name))
    _give_default(raw, "state", "directory", environment.state_directory or STATE_DIRECTORY_DEFAULT)
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigInvalid(_explain(str(error), raw)) from error
    for fault in _faults(config):
        raise ConfigInvalid(fault)
    return config


def _faults(config: Config) -> Iterator[str]:
    """Yield what is wrong between settings that are right by themselves, and what is wrong with any number."""
    yield from _absurd_numbers(config, "$")
    if not config.scanners:
        yield ADD_A_SCANNER
    first_by_id: dict[str, int] = {}
    first_by_path: dict[str, int] = {}
    if config.uplink.mqtt is not None and config.terminal.site in SITES_RESERVED:
        yield f"$.terminal.site: {config.terminal.site!r} is reserved on the broker: give the site another id"
    if config.uplink.mqtt is not None and config.terminal.id in TERMINALS_RESERVED:
        yield f"$.terminal.id: {config.terminal.id!r} is reserved on the broker: give the terminal another id"
    for index, scanner in enumerate(config.scanners):
        path = getattr(scanner, "path", None)  # an app has none
        for name, value, seen in (("id", scanner.id, first_by_id), ("path", path, first_by_path)):
            if value is not None and (first := seen.setdefault(value, index)) != index:
                yield f"$.scanners[{index}].{name}: {value!r} is that of $.scanners[{first}] too: change one of them"
    if config.trust.url is not None and (fault := url_fault(config.trust.url, HTTP)):
        yield f"$.trust.url: {fault}"


def _absurd_numbers(value: object, place: str) -> Iterator[str]:
    """Yield each number with a decimal point that is none (nan, inf) or that no component can mean."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _absurd_numbers(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _absurd_numbers(item, f"{place}[{index}]")
    elif isinstance(value, float):
        is_seconds = re.search(r"(?<!_per)_s(_|$)", place.rpartition(".")[2]) is not None
        most = SECONDS_MAX if is_seconds else NUMBER_MAX
        if not (math.isfinite(value) and (value == 0 or NUMBER_MIN <= value <= most)):
            yield f"{place}: {value!r} is out of range: {NUMBER_MIN:g} to {most:.0f}"


_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def _with_credentials(value: Any, place: str, directory: str | None) -> Any:
    """Put the file's path where a setting names a credential. Raises ConfigInvalid.

    In the service, the file systemd handed over; elsewhere (a person looks at the terminal) the one it takes it from.
    """
    if isinstance(value, dict):
        return {name: _with_credentials(item, f"{place}.{name}", directory) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_credentials(item, f"{place}[{index}]", directory) for index, item in enumerate(value)]
    if not isinstance(value, str) or not value.startswith(CREDENTIAL_PREFIX):
        return value
    name = value.removeprefix(CREDENTIAL_PREFIX)
    if not _CREDENTIAL_NAME.fullmatch(name):
        raise ConfigInvalid(f"{place}: {CREDENTIAL_PREFIX}NAME takes the name of a file in {CREDENTIALS_FOLDER}")
    if directory is None:
        return f"{CREDENTIALS_FOLDER}/{name}"
    for path in (Path(directory, f"scanward_{name}"), Path(directory, name)):
        if path.is_file():
            return str(path)
    raise ConfigInvalid(
        f"{place}: no credential {name} was handed over: put it into {CREDENTIALS_FOLDER}/{name}, restart the service"
    )


def _give_default(raw: dict[str, Any], section: str, name: str, value: str) -> None:
    table = raw.setdefault(section, {})
    if isinstance(table, dict):
        table.setdefault(name, value)


def _terminal_id(host_name: str) -> str:
    """Make a host's name a terminal id: its first label, without what an id may not hold."""
    name = re.sub("[^a-z0-9-]+", "-", host_name.partition(".")[0].lower())[:32].strip("-")
    return name if name and name != "localhost" else TERMINAL_ID_DEFAULT


# What msgspec says, in the words of someone who edits the file.

_SAID = re.compile(r"(?P<what>.*?)(?: - at `(?P<place>\$.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_PATTERN = re.compile(r"Expected `str` matching regex (?P<pattern>.*)")
_ITEMS = re.compile(r"(?:\[[^\]]*\])+\Z")
_STEP_OF_PLACE = re.compile(r"\.(?P<name>[A-Za-z0-9_-]+)|\[(?P<index>\d+|\.\.\.)\]")


def _explain(said: str, raw: Mapping[str, Any]) -> str:
    """Turn a validation error into a line with the place, the fault and what is allowed there."""
    parts = _SAID.fullmatch(said)
    what, place = (parts["what"], parts["place"] or "$") if parts else (said, "$")
    if unknown := _UNKNOWN.fullmatch(what):
        return f"{place}.{unknown['name']}: {_no_such(unknown['name'], place, raw)}"
    if missing := _MISSING.fullmatch(what):
        return f"{place}.{missing['name']} is missing: add it{_allowed_values(place, missing['name'], raw)}"
    if pattern := _PATTERN.fullmatch(what):
        return f"{place}: must match {pattern['pattern']}"
    parent, _, name = _ITEMS.sub("", place).rpartition(".")
    return f"{place}: {what[:1].lower() + what[1:]}{_allowed_values(parent, name, raw)}"


def _no_such(name: str, place: str, raw: Mapping[str, Any]) -> str:
    struct = _struct_at(place, raw)
    names = [field.encode_name for field in struct.fields] if struct else []
    if struct and struct.tag_field:
        names.insert(0, struct.tag_field)
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake needs it, and a terminal runs without one

    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"no such setting{hint} (allowed: {', '.join(names)})"


def _allowed_values(place: str, name: str, raw: Mapping[str, Any]) -> str:
    """Name the values a setting of a table may have, where they can be counted."""
    values: list[str] = []
    for struct in _structs(_type_at(place, raw)):
        if name == struct.tag_field:
            values.append(str(struct.tag))
        for field in struct.fields:
            if field.encode_name == name:
                values += [str(v) for t in _alternatives(field.type) for v in _values(t)]
    return f" (allowed: {', '.join(values)})" if values else ""


def _values(type_: inspect.Type) -> tuple[Any, ...]:
    match type_:
        case inspect.LiteralType(values=values):
            return values
        case inspect.EnumType(cls=cls):
            return tuple(member.value for member in cls)
        case inspect.DictType(value_type=of) | inspect.FrozenSetType(item_type=of) | inspect.VarTupleType(item_type=of):
            return _values(of)
        case _:
            return ()


def _struct_at(place: str, raw: Any) -> inspect.StructType | None:
    return next(iter(_structs(_type_at(place, raw))), None)


def _structs(type_: inspect.Type | None) -> list[inspect.StructType]:
    return [t for t in _alternatives(type_) if isinstance(t, inspect.StructType)]


def _alternatives(type_: inspect.Type | None) -> tuple[inspect.Type, ...]:
    match type_:
        case None:
            return ()
        case inspect.UnionType(types=types):
            return types
        case inspect.Metadata(type=inner):
            return _alternatives(inner)
        case _:
            return (type_,)


def _type_at(place: str, raw: Any) -> inspect.Type | None:
    """Find the type at a place like `$.scanners[0]`; the file's own `type` keys choose between alternatives."""
    type_: inspect.Type | None = _chosen(inspect.type_info(Config), raw)
    for step in _STEP_OF_PLACE.finditer(place):
        if step["name"] is not None:
            fields = {f.encode_name: f.type for struct in _structs(type_) for f in struct.fields}
            type_ = fields.get(step["name"])
            raw = raw.get(step["name"]) if isinstance(raw, dict) else None
        else:
            type_ = next((t.item_type for t in _alternatives(type_) if isinstance(t, inspect.VarTupleType)), None)
            is_there = isinstance(raw, list) and step["index"].isdecimal() and int(step["index"]) < len(raw)
            raw = raw[int(step["index"])] if is_there else None
        type_ = _chosen(type_, raw)
    return type_


def _chosen(type_: inspect.Type | None, raw: Any) -> inspect.Type | None:
    structs = _structs(type_)
    chosen = [s for s in structs if s.tag_field and isinstance(raw, dict) and raw.get(s.tag_field) == s.tag]
    return chosen[0] if chosen else type_
