import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import NODEFAULT, inspect

from agent.config import (
    ADD_A_SCANNER,
    CONFIG_BYTES_MAX,
    Config,
    ConfigInvalid,
    Environment,
    load,
    parse,
    read_environment,
)
from agent.core.reading.profile import Profile
from fakes.altered import altered

ROOT = Path(__file__).parents[1]
HERE = Environment(host_name="Kiosk_7.hospital.example", state_directory=None, notify_socket=None)
SCANNER = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'


def fault_of(text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        parse(text.encode(), HERE)
    return str(caught.value)


def test_one_scanner_is_a_whole_configuration() -> None:
    config = parse(SCANNER.encode(), HERE)
    assert config.terminal.id == "kiosk-7"
    assert config.step_of(config.scanners[0]) == "registration"
    assert config.uplink.http is None
    assert config.state_directory == Path("scanward-state")


def test_systemd_says_where_the_state_is_unless_the_file_does() -> None:
    environment = Environment("host", "/var/lib/scanward", None)
    assert parse(SCANNER.encode(), environment).state_directory == Path("/var/lib/scanward")
    text = f'{SCANNER}[state]\ndirectory = "/srv/state"\n'
    assert parse(text.encode(), environment).state_directory == Path("/srv/state")


def test_the_environment_is_read_as_systemd_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/scanward:/var/lib/other")
    monkeypatch.setenv("NOTIFY_SOCKET", "@notify")
    environment = read_environment()
    assert (environment.state_directory, environment.notify_socket) == ("/var/lib/scanward", "@notify")
    monkeypatch.setenv("STATE_DIRECTORY", "")
    monkeypatch.delenv("NOTIFY_SOCKET")
    environment = read_environment()
    assert (environment.state_directory, environment.notify_socket) == (None, None)


@pytest.mark.parametrize(
    ("host", "terminal"),
    [
        ("pi.local", "pi"),
        ("KIOSK_3", "kiosk-3"),
        ("", "terminal-1"),
        ("localhost.localdomain", "terminal-1"),
        ("机", "terminal-1"),
        ("x" * 64, "x" * 32),
    ],
)
def test_a_terminal_without_an_id_is_named_after_its_host(host: str, terminal: str) -> None:
    assert parse(SCANNER.encode(), Environment(host, None, None)).terminal.id == terminal


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (SCANNER + "bau = 1", "$.scanners[0].bau", "did you mean baud?"),
        (SCANNER + '[uplink.http]\nurl = "https://p.example"\ntimeot_s = 1', "$.uplink.http.timeot_s", "timeout_s?"),
        (SCANNER + "[uplink]\nkeep_aliv_s = 1", "$.uplink.keep_aliv_s", "allowed: mqtt, http"),
        (SCANNER + "[telemetry]", "$.telemetry", "allowed: terminal, state, scanners, uplink"),
        (SCANNER + "baud = 9601", "$.scanners[0].baud", "allowed: 1200, 2400"),
        (SCANNER + 'framing = "crx"', "$.scanners[0].framing", "allowed: cr, lf, crlf, tab, etx, idle"),
        (SCANNER + "timeout_ms = 5", "$.scanners[0].timeout_ms", ">= 20"),
        (SCANNER + "bytes_max = 8193", "$.scanners[0].bytes_max", "<= 8192"),
        (
            '[[scanners]]\nid = "a"\ntype = "seral"',
            "$.scanners[0].type",
            "allowed: serial, hid, keyboard, camera, network, app, replay",
        ),
        (
            '[[scanners]]\nid = "a"',
            "$.scanners[0].type is missing",
            "serial, hid, keyboard, camera, network, app, replay",
        ),
        ('[[scanners]]\nid = "a"\ntype = "serial"', "$.scanners[0].path is missing", "add it"),
        (SCANNER + SCANNER, "$.scanners[1].id", "'front'"),
        (SCANNER + SCANNER.replace("front", "back"), "$.scanners[1].path", "$.scanners[0]"),
        (SCANNER.replace("front", "Front"), "$.scanners[0].id", "a-z0-9-"),
        (SCANNER.replace("/dev/null", "\\u0000"), "$.scanners[0].path", "must match"),
        (SCANNER + '[terminal]\nsite = "Zhongshan Hospital"', "$.terminal.site", "a-z0-9-"),
        (SCANNER + "[terminal]\nid = 3", "$.terminal.id", "expected `str`"),
        ("terminal = 3\n" + SCANNER, "$.terminal", "expected `object`"),
        (SCANNER + '[uplink.http]\nurl = "http://platform.example"', "$.uplink.http", "must use https"),
        (SCANNER + '[trust]\nurl = "http://trust.example"', "$.trust.url", "must use https"),
        (SCANNER + '[console]\nlisten = "0.0.0.0:80"', "$.console", "loopback"),
        (SCANNER + '[policy.refuse]\npayment = ["ehc.statc"]', "$.policy.refuse", "static"),
        (SCANNER + '[policy.checked]\n"*" = ["revocations"]', "$.policy.checked", "allowed: check-character, expiry"),
        (SCANNER + 'symbologies = ["qrcode"]', "$.scanners[0].symbologies[0]", "allowed: qr, micro-qr"),
        (SCANNER + '[policy.accept]\npayment = ["ehc.static"]', "$.policy.accept", "allowed: refuse"),
        ("terminal = \n" + SCANNER, "not TOML", "line 1"),
        ("a=" + "[" * 5_000, "not a configuration", "nested too deeply"),
        (SCANNER + f"[delivery]\nburst = {'9' * 5_000}", "not TOML", "4300"),
        (SCANNER + f"[delivery]\nburst = {'9' * 400}", "$.delivery", ""),
        (SCANNER + "[delivery]\nstable_s = nan", "$.delivery", "stable_s"),
        (SCANNER + "[delivery]\nhello_interval_s = inf", "$.delivery", "hello_interval_s"),
        (SCANNER + "[delivery]\nretry_delay_s_max = 1e-300", "$.delivery.retry_delay_s_max", "0.001 to 31536000"),
        (SCANNER + "[delivery]\nhello_interval_s = 4e7", "$.delivery.hello_interval_s", "0.001 to 31536000"),
        (SCANNER + "[delivery]\nrate_per_s = 1e-300", "$.delivery.rate_per_s", "0.001 to 1000000000"),
        (SCANNER + "[trust]\nrefresh_interval_s = 1e-300", "$.trust", "[1, 604800]"),
        (SCANNER + "[trust]\nrefresh_timeout_s = 1e300", "$.trust", "[1, 3600]"),
        (SCANNER + "[trust]\nretry_delay_s_first = nan", "$.trust", "retry_delay_s_first"),
        (SCANNER + '[uplink.http]\nurl = "https://p.example"\ntimeout_s = 1e-300', "$.uplink.http", "[0.01, 300]"),
        (SCANNER + '[uplink.http]\nurl = "https://p.example/ x"', "$.uplink.http", "spaces"),
        (SCANNER + '[trust]\nurl = "https://p.example\\t"', "$.trust.url", "spaces"),
        (SCANNER + '[console]\nlisten = "127.0.0.1:\u0663"', "$.console", "loopback"),
        ("", "no scanner", ADD_A_SCANNER),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place_and_what_to_do(text: str, place: str, says: str) -> None:
    fault = fault_of(text)
    assert fault.startswith(place)
    assert says in fault
    assert "\n" not in fault


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:1", "http://localhost", "https://p.example"])
def test_without_tls_a_platform_must_be_on_loopback(url: str) -> None:
    config = parse(f'{SCANNER}[uplink.http]\nurl = "{url}"'.encode(), HERE)
    assert config.uplink.http is not None
    assert config.uplink.http.url == url


def test_what_a_scanner_needs_is_said_in_a_form_that_works_when_pasted() -> None:
    settings = re.findall(r'(\w+ = "[^"]+")', ADD_A_SCANNER)
    assert parse("\n".join(["[[scanners]]", *settings]).encode(), HERE).scanners[0].id == "front"


def test_a_site_may_refuse_what_the_signed_policy_accepts() -> None:
    text = SCANNER + '[policy.refuse]\npayment = ["ehc.static"]\n"*" = ["national.any"]'
    assert parse(text.encode(), HERE).policy.refuse == {
        "payment": frozenset({"ehc.static"}),
        "*": frozenset({"national.any"}),
    }


@pytest.mark.parametrize("name", ["missing.toml", "folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigInvalid, match=re.escape(str(tmp_path / name))):
        load(tmp_path / name, HERE)


def test_a_mistake_in_a_file_names_the_file_and_stays_one_line(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(SCANNER + '"a\\nb" = 1')
    with pytest.raises(ConfigInvalid) as caught:
        load(path, HERE)
    assert str(caught.value).startswith(f"{path}: $.scanners[0].a b: no such setting")
    path.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(ConfigInvalid, match="longer than"):
        load(path, HERE)


@given(st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)))
def test_no_file_makes_it_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ConfigInvalid):
        parse(data, HERE)


keys = st.sampled_from(["terminal", "state", "scanners", "uplink", "http", "policy", "refuse", "id", "type", "x y", ""])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9999), st.sampled_from(["serial", "replay", "a"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def to_toml(value: Any) -> str:
    match value:
        case None:
            return "1979-05-27"
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(to_toml, value)) + "]"
        case float():
            return repr(value)
        case _:
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@given(st.dictionaries(keys, values, max_size=4))
def test_no_table_makes_it_raise_anything_else(table: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in table.items())
    try:
        config = parse(text.encode(), HERE)
    except ConfigInvalid:
        return
    assert config.scanners


EXAMPLES = [tomllib.loads(path.read_text()) for path in sorted((ROOT / "config").glob("*.toml"))]
ODD = values | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ODD |= st.sampled_from(["/", "a" * 300, "https://[", "https://x:99999/", "https://u:p@h", "::", "\\d{3}", "(", "utf-7"])


@given(altered(EXAMPLES, ODD))
def test_an_example_with_something_odd_in_it_is_taken_or_refused_in_words(table: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(k)} = {to_toml(v)}" for k, v in table.items())
    tomllib.loads(text)
    try:
        config = parse(text.encode(), HERE)
    except ConfigInvalid as error:
        said = str(error)
    else:
        said = "taken"
        assert config.scanners
    assert 0 < len(said) < 1_000


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.toml")), ids=lambda path: path.stem)
def test_each_example_is_valid(path: Path) -> None:
    config = load(path, HERE)
    assert config.uplink.http is not None
    assert config.trust.root is not None


def test_there_is_an_example_for_each_kind_of_terminal() -> None:
    assert {path.stem for path in (ROOT / "config").glob("*.toml")} == {
        "kiosk",
        "pharmacy",
        "clinic",
        "rural",
        "counter",
        "entrance",
    }


GIVEN_AT_START = {
    ("[terminal]", "id"): "the host's name",
    ("[state]", "directory"): "systemd's, else `scanward-state`",
    ("[[scanners]], every device", "step"): "the terminal's",
    ('[[scanners]] type = "replay"', "step"): "the terminal's",
    ("[trust]", "url"): "the uplink's",
    ("[uplink.mqtt]", "username"): "the terminal's id",
}


def settings_of(struct: inspect.StructType, section: str) -> dict[tuple[str, str], str]:
    """Return every setting of a section with its default, as the document writes it."""
    found = {(section, struct.tag_field): "required"} if struct.tag_field else {}
    for field in struct.fields:
        default = "required" if field.default is NODEFAULT else f"`{json.dumps(field.default)}`"
        place = (section, field.encode_name)
        found[place] = GIVEN_AT_START.get(place, "none" if field.default is None else default)
    return found


def all_settings() -> dict[tuple[str, str], str]:
    config = inspect.type_info(Config)
    assert isinstance(config, inspect.StructType)
    found: dict[tuple[str, str], str] = {}
    for field in config.fields:
        match field.type:
            case inspect.VarTupleType(item_type=inspect.UnionType(types=kinds)):
                for kind in kinds:
                    shared = Profile.__struct_fields__ if issubclass(kind.cls, Profile) else ()
                    own = settings_of(kind, f'[[{field.encode_name}]] type = "{kind.tag}"')
                    found |= {(place, name): text for (place, name), text in own.items() if name not in shared}
                found |= settings_of(inspect.type_info(Profile), f"[[{field.encode_name}]], every device")
            case inspect.StructType(fields=fields) as struct:
                tables = [f for f in fields if isinstance(f.type, inspect.UnionType | inspect.DictType)]
                if field.encode_name in {"uplink", "policy"}:
                    assert len(tables) == len(fields)
                    for table in tables:
                        section = f"[{field.encode_name}.{table.encode_name}]"
                        structs = [t for t in getattr(table.type, "types", ()) if isinstance(t, inspect.StructType)]
                        found[section, ""] = ""
                        for inner in structs:
                            found |= settings_of(inner, section)
                else:
                    found |= settings_of(struct, f"[{field.encode_name}]")
            case other:
                raise AssertionError(f"{field.encode_name}: the test does not know {other}")
    return found


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    documented: dict[tuple[str, str], str] = {}
    section = ""
    for line in (ROOT / "docs" / "configuration.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
            if "." in section:
                documented[section, ""] = ""
        elif row := re.fullmatch(r"\| `(\w+)` \| (.*?) \| (.+) \|", line):
            documented[section, row[1]] = row[2]
    assert documented == all_settings()
