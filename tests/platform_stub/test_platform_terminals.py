"""Status, commands and passwords: what is news, what is refused, what the command line leaves for the platform."""

import asyncio
import json

import cbor2
import pytest
from vectors import generate

from platform_stub import cli, commands, keys
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout
from platform_stub.mqtt import options as mqtt_options
from platform_stub.mqtt.broker import EmbeddedBroker
from platform_stub.mqtt.credentials import PLATFORM_USER, PasswordUnusable, password_of, read_password
from platform_stub.mqtt.topics import read_up
from platform_stub.registry import RegistrationInvalid, read_registration
from platform_stub.status import HeldStatus, State, is_news, read_status
from platform_stub.web.terminal_rows import SILENT_AFTER_MS, command_cells, terminal_cells

NOW_MS = generate.NOW_S * 1000


@pytest.mark.parametrize(
    ("name", "expected", "said", "held"),
    [
        ("the first", True, (0, 100, None), None),
        ("a later one", True, (0, 101, None), (0, 100, 90, 0)),
        ("the same again", False, (0, 100, None), (0, 100, 90, 0)),
        ("an earlier one, late", False, (0, 99, None), (0, 100, 90, 0)),
        ("the end, in the same moment", True, (1, 100, None), (0, 100, 90, 0)),
        ("the will of this connection", True, (2, 90, 90), (0, 100, 90, 0)),
        ("the will of an earlier connection, late", False, (2, 80, 80), (0, 100, 90, 0)),
        ("a will where no connection was named", True, (2, 80, None), (0, 100, 0, 0)),
        ("a will older than one that counted", False, (2, 80, None), (0, 100, 0, 85)),
        ("a will over a status that came over HTTP later", False, (2, 80, None), (0, 100, 100, 0)),
        ("a will behind a good end", False, (2, 90, 90), (1, 100, 90, 0)),
        ("a will of a connection after a good end", True, (2, 110, 110), (1, 100, 90, 0)),
        ("online again", True, (0, 101, None), (2, 100, 90, 90)),
        ("what was said before it was lost", False, (0, 100, None), (2, 100, 90, 90)),
    ],
)
def test_a_status_is_kept_only_where_it_is_news(terminal, name, expected, said, held):
    state, at_ms, since_ms = said
    status = read_status(terminal.status(state, at_ms, **({} if since_ms is None else {"f7": since_ms})))
    assert is_news(status, None if held is None else HeldStatus(State(held[0]), *held[1:])) is expected


async def test_a_status_over_http_is_shown_with_what_it_reports(run_platform, terminal):
    report = {"uplink": {"waiting": 17}, "trust": {"version": 4, "age_s": 600, "freshness": "fresh"}}
    async with run_platform(terminal) as platform:
        assert await platform.post(terminal, "status", terminal.status(report=json.dumps(report))) == (204, b"")
        page = await platform.page()
    for cell in (">online<", "<td>http</td>", "<td>simulated/1</td>", "<td>17</td>", "<td>4, 10 min old</td>"):
        assert cell in page, cell


async def test_a_lost_terminal_keeps_the_last_it_said_of_itself(run_platform, terminal):
    async with run_platform(terminal) as platform:
        await platform.post(terminal, "status", terminal.status(report='{"uplink": {"waiting": 17}}', f7=NOW_MS - 9))
        assert (await platform.post(terminal, "status", terminal.status(2, NOW_MS - 9, "{}", f7=NOW_MS - 9)))[0] == 204
        page = await platform.page()
        assert ">lost<" in page
        assert "<td>17</td>" in page


async def test_a_will_is_kept_where_nothing_else_is_known(run_platform, terminal):
    async with run_platform(terminal) as platform:
        assert (await platform.post(terminal, "status", terminal.status(2)))[0] == 204
        assert ">lost<" in await platform.page()


async def test_a_clock_that_ran_ahead_does_not_silence_the_terminal_afterwards(run_platform, terminal):
    async with run_platform(terminal) as platform:
        await platform.post(terminal, "status", terminal.status(0, NOW_MS + 10**10))
        platform.clock_s[0] += 60
        assert (await platform.post(terminal, "status", terminal.status(1, NOW_MS + 60_000)))[0] == 204
        assert ">offline<" in await platform.page()


async def test_a_terminal_that_falls_silent_is_shown_as_silent(run_platform, terminal):
    async with run_platform(terminal) as platform:
        await platform.post(terminal, "status", terminal.status())
        platform.clock_s[0] += SILENT_AFTER_MS // 1000 + 1
        assert ">silent<" in await platform.page()


@pytest.mark.parametrize(
    ("name", "expected", "what", "body"),
    [
        ("garbage", (400, "message.malformed"), "status", lambda t: b"\xff" * 100),
        ("an unsigned status", (400, "message.malformed"), "status", lambda t: generate.cbor({1: t.id})),
        ("an unknown field", (400, "message.malformed"), "status", lambda t: t.status(f8=1)),
        ("an unknown state", (400, "message.malformed"), "status", lambda t: t.status(3)),
        ("another terminal", (409, "message.other-terminal"), "status", lambda t: t.status(f1="kiosk-2")),
        ("another site", (409, "message.other-site"), "status", lambda t: t.status(f2="elsewhere")),
        ("a status signed as an answer", (401, "terminal.signature"), "status", lambda t: generate.cose_sign1(
            t.key, "scanward-answer-1", cbor2.loads(t.status()).value[2])),
        ("too much", (413, "message.too-large"), "status", lambda t: bytes(10_000)),
        ("an answer to nothing", (404, "command.unknown"), "answers", lambda t: t.answer(bytes(16))),
        ("an answer with an unknown outcome", (400, "message.malformed"), "answers", lambda t: t.answer(bytes(16), 4)),
        ("too long an answer", (413, "message.too-large"), "answers", lambda t: t.answer(bytes(16), 0, "x" * 4_700)),
        ("an answer signed as a status", (401, "terminal.signature"), "answers", lambda t: generate.cose_sign1(
            t.key, "scanward-status-1", cbor2.loads(t.answer(bytes(16))).value[2])),
    ],
)  # fmt: skip
async def test_a_bad_status_or_answer_is_refused_with_a_problem(run_platform, terminal, name, expected, what, body):
    async with run_platform(terminal) as platform:
        status, answer = await platform.post(terminal, what, body(terminal))
        assert (status, json.loads(answer)["code"]) == expected


async def test_a_report_with_a_zero_byte_is_kept_without_it_and_a_name_with_one_is_refused(run_platform, terminal):
    async with run_platform(terminal) as platform:
        assert (await platform.post(terminal, "status", terminal.status(f5="a b", report="\x00")))[0] == 204
        assert "a b" in await platform.page()
        assert (await platform.post(terminal, "status", terminal.status(f5="a\x00b")))[0] == 400


@pytest.mark.parametrize(
    "report",
    ["[" * 8_000, "null", "[]", '{"uplink": 7, "trust": []}', '{"uplinks": {"mqtt": {"waiting": true}}}', "{",
     '{"trust": {"version": 1, "age_s": -5}}', '{"uplinks": [{"waiting": {}}, 3, null]}'],
)  # fmt: skip
def test_any_report_makes_a_row(report):
    cells = terminal_cells(("kiosk-1", "demo", "x", None, None, 0, NOW_MS, "x", report, "http"), NOW_MS)
    assert len(cells) == 8


def test_a_command_with_any_instant_makes_a_row():
    assert len(command_cells((bytes(16), "kiosk-1", "identify", 2**62, 2**62, None, None, None, None), NOW_MS)) == 6


def give(directory, *more):
    return cli.main(["command", str(directory), "--terminal", "kiosk-1", "--kind", "identify", *more])


async def test_commands_over_http_are_handed_out_until_answered_or_over(run_platform, terminal, make_terminal):
    other = make_terminal("kiosk-2", label="the other", ledger="another ledger")
    async with run_platform(terminal, other) as platform:
        await platform.greet(terminal)
        key = keys.read_ed25519(platform.layout.keys, keys.COMMANDS_KEY)
        given = [commands.sign_command(key, "kiosk-1", "identify", NOW_MS + n, 60 + n) for n in range(3)]
        for command in given:
            commands.leave(platform.layout.commands, command)
        assert await waiting(platform, terminal, 3) == [command.signed for command in given]
        assert await waiting(platform, other, 0) == []
        assert (await platform.post(other, "answers", other.answer(given[0].id)))[0] == 404
        for said in ("first", "second"):
            assert await platform.post(terminal, "answers", terminal.answer(given[0].id, 1, said)) == (204, b"")
        assert await waiting(platform, terminal, 2) == [command.signed for command in given[1:]]
        platform.clock_s[0] += 62
        assert await waiting(platform, terminal, 1) == [given[2].signed]
        page = await platform.page()
        assert ">failed<" in page
        assert "first" in page
        assert "second" not in page
        assert "over, not answered" in page
        assert list(platform.layout.commands.iterdir()) == []


async def waiting(platform, terminal, count):
    """Say hello until so many commands wait."""
    async with asyncio.timeout(20):
        while True:
            found = cbor2.loads((await platform.post(terminal, "hello", terminal.hello()))[1])[3]
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


async def test_a_hello_hands_out_sixteen_commands_and_a_terminal_has_at_most_sixty_four(run_platform, terminal, caplog):
    async with run_platform(terminal) as platform:
        key = keys.read_ed25519(platform.layout.keys, keys.COMMANDS_KEY)
        for n in range(65):
            commands.leave(platform.layout.commands, commands.sign_command(key, "kiosk-1", "identify", NOW_MS + n, 60))
        await waiting(platform, terminal, 16)
        await until_set_aside(platform, 1)
    assert "kiosk-1 has 64 commands waiting" in caplog.text


async def test_a_file_that_is_no_command_of_the_platform_is_set_aside(run_platform, terminal, caplog):
    stranger = commands.sign_command(generate.PLATFORM, "kiosk-1", "identify", NOW_MS, 60)
    async with run_platform(terminal) as platform:
        key = keys.read_ed25519(platform.layout.keys, keys.COMMANDS_KEY)
        commands.leave(platform.layout.commands, stranger)
        commands.leave(platform.layout.commands, commands.sign_command(key, "kiosk-9", "identify", NOW_MS, 60))
        (platform.layout.commands / f"{'0' * 32}.command").write_bytes(b"\xff" * 9_000)
        await until_set_aside(platform, 3)
        assert await waiting(platform, terminal, 0) == []
    assert "not signed with the platform's key" in caplog.text
    assert "no terminal kiosk-9 is registered" in caplog.text


async def until_set_aside(platform, count):
    async with asyncio.timeout(20):
        while len(list(platform.layout.commands.glob("*.refused"))) < count:  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.05)


def test_the_command_line_leaves_commands_lists_them_and_says_what_is_wrong(platform_directory, terminal, capsys):
    assert give(platform_directory) == 2
    assert "no terminal kiosk-1 is registered" in capsys.readouterr().err
    (platform_directory / "terminals" / "kiosk-1.json").write_text(json.dumps(terminal.registration()))
    assert give(platform_directory, "--life", "0") == 2
    assert "life is 1 to 604800 seconds" in capsys.readouterr().err
    assert give(platform_directory) == 0
    assert capsys.readouterr().out.startswith("command ")
    assert cli.main(["commands", str(platform_directory)]) == 0
    assert capsys.readouterr().out == "0 commands; 1 wait for the platform to run\n"


def test_register_makes_a_password_once_and_prints_where_and_the_section(
    platform_directory, tmp_path, terminal, capsys
):
    file = tmp_path / "terminal.json"
    file.write_text(json.dumps(terminal.registration()))
    assert cli.main(["register", str(platform_directory), str(file)]) == 0
    password = platform_directory / "mqtt" / "kiosk-1.password"
    said = capsys.readouterr().out
    assert str(password) in said
    assert "[uplink.mqtt]" in said
    assert password.read_text().strip() not in said
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.parent.stat().st_mode & 0o777 == 0o700
    before = password.read_bytes()
    assert cli.main(["register", str(platform_directory), str(file)]) == 0
    assert password.read_bytes() == before


def test_broker_acl_prints_the_rules_of_every_terminal(platform_directory, terminal, capsys):
    (platform_directory / "terminals" / "kiosk-1.json").write_text(json.dumps(terminal.registration()))
    assert cli.main(["broker-acl", str(platform_directory)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "user _platform", "topic readwrite scanward/1/#", "", "user kiosk-1",
        "topic write scanward/1/demo/kiosk-1/up/#", "topic read scanward/1/demo/kiosk-1/down/#",
        "topic read scanward/1/trust",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mqtt", "1883"], "--mqtt wants HOST:PORT"),
        (["--mqtt", "localhost:99999"], "--mqtt wants HOST:PORT"),
        (["--mqtt-url", "http://broker"], "--mqtt-url wants"),
        (["--mqtt-url", "mqtt://user:secret@broker"], "goes into a file"),
        (["--mqtt-url", "mqtt://broker:port"], "--mqtt-url wants"),
        (["--mqtt-url", "mqtt://broker", "--mqtt-password-file", "/nonexistent"], "/nonexistent: No such file"),
        (["--mqtt-password-file", "/nonexistent"], "goes with --mqtt-url"),
    ],
)
def test_run_says_what_is_wrong_with_the_broker(platform_directory, capsys, arguments, said):
    assert cli.main(["run", str(platform_directory), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert "secret@" not in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("127.0.0.1", 1883)),
        (["--mqtt", "[::1]:0"], ("::1", 0)),
        (["--mqtt-url", "mqtt://broker.example"], ("broker.example", 1883, None, False)),
        (["--mqtt-url", "mqtts://_platform@broker.example"], ("broker.example", 8883, "_platform", True)),
        (["--mqtt-url", "mqtts://_platform@[::1]:99/"], ("::1", 99, "_platform", True)),
    ],
)
def test_run_understands_which_broker_is_meant(tmp_path, arguments, expected):
    (tmp_path / "password").write_text("invented\n")
    if len(expected) == 4:
        arguments = [*arguments, "--mqtt-password-file", str(tmp_path / "password")]
    meant = mqtt_options.read(cli._parser().parse_args(["run", str(tmp_path), *arguments]))
    if isinstance(meant, EmbeddedBroker):
        assert (meant.host, meant.port) == expected
    else:
        assert (meant.host, meant.port, meant.user, meant.is_tls) == expected
        assert meant.password() == "invented"
        assert "invented" not in repr(meant)


def test_run_without_mqtt_means_none(tmp_path):
    assert mqtt_options.read(cli._parser().parse_args(["run", str(tmp_path), "--no-mqtt"])) is None


def test_two_processes_that_make_a_password_agree_on_it(tmp_path):
    first = password_of(tmp_path / "mqtt", "kiosk-1")
    assert password_of(tmp_path / "mqtt", "kiosk-1") == first
    assert len(first) >= 32
    assert password_of(tmp_path / "mqtt", PLATFORM_USER) != first
    assert [path.name for path in (tmp_path / "mqtt").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\x00b\n"])
def test_a_password_file_that_holds_none_is_said(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(PasswordUnusable, match="x: "):
        read_password(tmp_path / "x")


@pytest.mark.parametrize(
    "topic",
    ["scanward/1/demo/kiosk-1/down/hello", "scanward/1/demo/kiosk-1/up", "scanward/1/demo/kiosk-1/up/a/b",
     "scanward/1/trust", "scanward/1/demo/Kiosk/up/hello", "scanward/1//kiosk-1/up/hello",
     "scanward/1/demo/kiosk-1/up/hello\n"],
)  # fmt: skip
def test_other_topics_are_nobodys_message(topic):
    assert read_up(topic) is None


def test_a_platform_from_before_there_were_commands_gets_the_key_and_publishes_it(platform_directory):
    layout = Layout(platform_directory)
    (layout.keys / "commands.pem").unlink()
    Repository(layout).complete(generate.NOW_S)
    kid = keys.key_id(keys.spki_of(keys.read_ed25519(layout.keys, "commands").public_key())).hex()
    newest = max(
        layout.repository.glob("targets/*.trust-list.json"), key=lambda path: json.loads(path.read_text())["version"]
    )
    assert [key["kid"] for key in json.loads(newest.read_text())["keys"] if key["usage"] == ["command"]] == [kid]
    before = layout.repository.joinpath("metadata", "timestamp.json").read_bytes()
    Repository(layout).complete(generate.NOW_S)
    assert layout.repository.joinpath("metadata", "timestamp.json").read_bytes() == before


def test_a_platform_killed_between_making_a_key_and_publishing_it_publishes_it_at_the_next_start(
    platform_directory, monkeypatch
):
    layout = Layout(platform_directory)
    (layout.keys / "commands.pem").unlink()
    with monkeypatch.context() as killed:
        killed.setattr(Repository, "_trust_list", without_commands)
        Repository(layout).publish(generate.NOW_S)
    assert "command" not in uses_of(layout)
    Repository(layout).complete(generate.NOW_S)
    assert "command" in uses_of(layout)


_trust_list = Repository._trust_list


def without_commands(self, *arguments):
    """The trust list as a version without commands published it."""
    about = json.loads(_trust_list(self, *arguments))
    about["keys"] = [key for key in about["keys"] if key["usage"] != ["command"]]
    return json.dumps(about).encode()


def uses_of(layout):
    lists = [json.loads(path.read_text()) for path in layout.repository.glob("targets/*.trust-list.json")]
    return {use for key in max(lists, key=lambda one: one["version"])["keys"] for use in key["usage"]}


@pytest.mark.parametrize(("site", "terminal"), [("trust", "kiosk-1"), ("demo", "seen")])
def test_names_that_mean_something_else_in_a_topic_are_not_registered(tmp_path, make_terminal, site, terminal):
    path = tmp_path / "terminal.json"
    path.write_text(json.dumps(make_terminal().registration() | {"site": site, "terminal": terminal}))
    with pytest.raises(RegistrationInvalid, match="no site may be called trust"):
        read_registration(path)
