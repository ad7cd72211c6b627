"""The platform as a process: its commands, its clean end, and kill -9 right behind a receipt."""

import json
import signal
import socket
import subprocess
import sys

import cbor2
import psutil
import pytest
from vectors import generate

from fakes import brokers
from fakes.platform_process import ask, finish, post, receipt_of, start
from platform_stub import cli
from platform_stub.issuing.issuer import Issuer, card_of
from platform_stub.mqtt.broker import find_program
from platform_stub.wire.health_code import read_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_makes_a_platform_of_an_empty_directory_and_ends_cleanly(tmp_path, number):
    process, address = start(tmp_path / "p")
    assert json.loads(ask(address, "GET", "/healthz")) == {"status": "ok"}
    assert finish(process, number)[0] == 0
    assert (tmp_path / "p" / "root.json").is_file()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everything_receipted_survives_kill_9(tmp_path, make_terminal, request, kind):
    directory, terminal = tmp_path / "p", make_terminal().fill(60)
    if kind == "postgresql":  # the choice is remembered: none of the later starts names it
        place = request.getfixturevalue("postgresql_cluster").make_schema()
        process, _ = start(directory, "--database", place.url)
        assert finish(process, signal.SIGTERM)[0] == 0
    (directory / "terminals").mkdir(parents=True, exist_ok=True)
    (directory / "terminals" / "dropped.json").write_text(json.dumps(terminal.registration()))
    receipted = 0
    for kill in range(3):
        process, address = start(directory)
        hello = receipt_of(cbor2.loads(post(address, terminal, "hello", terminal.hello(receipted)))[2])
        assert hello[5] == [receipted, terminal.hashes[receipted]], kill
        for first in range(receipted + 1, receipted + 20, 5):
            receipt = receipt_of(post(address, terminal, "batches", terminal.batch(first, first + 4)))
            assert [result[2] for result in receipt[4]] == [0] * 5
            receipted = receipt[5][0]
        assert finish(process, signal.SIGKILL)[0] == -signal.SIGKILL
    process, address = start(directory)
    receipt = receipt_of(post(address, terminal, "batches", terminal.batch(1, receipted)))
    assert [(result[1], result[2]) for result in receipt[4]] == [(h, 1) for h in terminal.hashes[1 : receipted + 1]]
    assert receipted == 60
    assert finish(process, signal.SIGTERM)[0] == 0
    assert (directory / "platform.sqlite").exists() == (kind == "sqlite")


def test_a_port_in_use_and_a_directory_in_use_are_one_clear_line(tmp_path, capsys):
    assert cli.main(["init", str(tmp_path / "p")]) == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert cli.main(["run", str(tmp_path / "p"), "--listen", address, "--no-mqtt"]) == 1
    process, _ = start(tmp_path / "p")
    capsys.readouterr()
    assert cli.main(["run", str(tmp_path / "p"), "--listen", "127.0.0.1:0"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"scanward-platform: another scanward-platform runs on {tmp_path / 'p'}"]
    assert finish(process, signal.SIGTERM)[0] == 0


def test_a_killed_platform_takes_its_broker_along(tmp_path):
    brokers.require("nats")
    process, _ = start(tmp_path / "p", "--mqtt", "127.0.0.1:0")
    assert process.stdout.readline().startswith("mqtt: mqtt://127.0.0.1:")
    (broker,) = psutil.Process(process.pid).children()
    assert broker.name() == find_program().name
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    psutil.wait_procs([broker], timeout=10)
    assert not broker.is_running()


def bad_directories(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "something").touch()
    (tmp_path / "file").touch()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "platform.toml").write_text("issuer = 4420")
    keyless = tmp_path / "keyless"
    keyless.mkdir()
    (keyless / "platform.toml").write_text('issuer = "4420"\nborn_at_s = 1')
    return foreign, tmp_path / "file", damaged, keyless


@pytest.mark.parametrize("command", ["run", "publish", "mint", "register", "revoke"])
def test_a_bad_directory_is_one_clear_line(tmp_path, capsys, command):
    for directory in (*bad_directories(tmp_path), tmp_path / "absent" / "deep"):
        if command == "run" and not directory.parent.exists():
            continue  # run makes it
        arguments = {
            "mint": ["mint", "--dir", str(directory), "--type", "static", "--person", "a"],
            "register": ["register", str(directory), str(tmp_path / "none.json")],
            "revoke": ["revoke", "--dir", str(directory), "--card", "00" * 32],
        }.get(command, [command, str(directory)])
        assert cli.main(arguments) == 1, directory
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) == 1, said.err
        assert said.err.startswith("scanward-platform: ")


HALF = """
import sys, time
from pathlib import Path
from platform_stub.layout import Layout
layout = Layout(Path(sys.argv[1]))
with layout.making("4420"):
    layout.make()
    print("half", flush=True)
    time.sleep(60)
"""


def test_an_init_that_was_killed_is_begun_again_and_one_that_works_is_left_alone(tmp_path, capsys):
    directory = tmp_path / "made"
    half = subprocess.Popen([sys.executable, "-c", HALF, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert half.stdout.readline() == "half\n"
        issuer_key = (directory / "keys" / "issuer-es256.pem").read_bytes()
        assert cli.main(["init", str(directory)]) == 1
        assert "is being made by another scanward-platform" in capsys.readouterr().err
        assert (directory / "keys" / "issuer-es256.pem").read_bytes() == issuer_key
    finally:
        half.kill()
        half.communicate()
    assert cli.main(["init", str(directory)]) == 0
    assert cli.main(["mint", "--dir", str(directory), "--type", "static", "--person", "invented"]) == 0
    keys = {path.name: path.read_bytes() for path in (directory / "keys").iterdir()}
    assert keys["issuer-es256.pem"] != issuer_key
    assert cli.main(["init", str(directory)]) == 1
    assert keys == {path.name: path.read_bytes() for path in (directory / "keys").iterdir()}
    (directory / "platform.toml").unlink()
    assert cli.main(["init", str(directory)]) == 1, "a finished platform that lost a file is not written over"
    assert keys == {path.name: path.read_bytes() for path in (directory / "keys").iterdir()}


def test_init_makes_keys_only_the_owner_reads_and_never_writes_over(tmp_path, capsys):
    directory = tmp_path / "p"
    assert cli.main(["init", str(directory), "--issuer", "4401"]) == 0
    before = {path: path.read_bytes() for path in (directory / "keys").iterdir()}
    assert len(before) == 13
    assert {path.stat().st_mode & 0o777 for path in before} == {0o600}
    assert (directory / "root.json").read_bytes() == (directory / "repository/metadata/1.root.json").read_bytes()
    assert cli.main(["init", str(directory)]) == 1
    assert "is a platform already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert Issuer(directory).code == "4401"


def test_mint_prints_the_code_and_writes_its_pictures(platform_directory, tmp_path, capsys):
    pictures = ["--png", str(tmp_path / "a.png"), "--svg", str(tmp_path / "a.svg"), "--terminal"]
    mint = ["mint", "--dir", str(platform_directory), "--type", "dynamic", "--at", str(generate.NOW_S), "--life", "30"]
    assert cli.main([*mint, "--person", "a", "--alg", "EdDSA", *pictures]) == 0
    text, *qr = capsys.readouterr().out.split("\n")
    code = read_code(text, "4420", Issuer(platform_directory).public_keys())
    assert (code.card, code.issued_at_s, code.expires_at_s) == (card_of("a"), generate.NOW_S, generate.NOW_S + 30)
    assert len(qr) > 25
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_mint_prints_national_texts(platform_directory, capsys):
    mint = ["mint", "--dir", str(platform_directory), "--card", "ab" * 32, "--national", "--type"]
    assert cli.main([*mint, "static"]) == cli.main([*mint, "dynamic"]) == 0
    static, dynamic = capsys.readouterr().out.splitlines()
    assert static == "AB" * 32 + ":1"
    assert dynamic.startswith("AB" * 32 + ":0:")


@pytest.mark.parametrize(
    "wrong",
    [["--life", "121"], ["--at", "-1"], ["--at", str(generate.NOW_S * 1000)]],
)
def test_mint_refuses_what_makes_no_code(platform_directory, capsys, wrong):
    arguments = ["mint", "--dir", str(platform_directory), "--type", "dynamic", "--person", "a", *wrong]
    assert cli.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:http", "127.0.0.1:65536", ":", "127.0.0.1:"])
def test_run_refuses_an_address_that_is_none(platform_directory, capsys, listen):
    assert cli.main(["run", str(platform_directory), "--listen", listen]) == 2
    assert "--listen" in capsys.readouterr().err


def test_register_checks_and_keeps_a_registration(platform_directory, tmp_path, capsys, terminal):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(terminal.registration()))
    bad.write_text(json.dumps(terminal.registration() | {"kid": "00" * 8}))
    assert cli.main(["register", str(platform_directory), str(bad)]) == 1
    assert "the kid is not that of the key" in capsys.readouterr().err
    assert cli.main(["register", str(platform_directory), str(good)]) == 0
    assert (platform_directory / "terminals" / "kiosk-1.json").read_bytes() == good.read_bytes()


def test_revoke_and_publish_sign_new_versions(platform_directory, capsys):
    kid = generate.kid(generate.ISSUER_ES).hex()
    assert cli.main(["revoke", "--dir", str(platform_directory), "--kid", kid]) == 0
    assert cli.main(["revoke", "--dir", str(platform_directory), "--card", generate.CARD.hex()]) == 0
    assert cli.main(["publish", str(platform_directory)]) == 0
    assert [line.rsplit(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == ["3", "4", "5"]
    assert len((platform_directory / "revoked.bin").read_bytes()) == 16
    with pytest.raises(SystemExit, match="2"):
        cli.main(["revoke", "--dir", str(platform_directory), "--card", "zz"])


def test_the_platform_shares_no_module_with_the_agent():
    code = "import sys, platform_stub.cli; sys.exit(any(name.split('.')[0] == 'agent' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
