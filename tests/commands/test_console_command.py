"""`scanward console`: what it says where there is no agent, no token, no port; and the PIN it hashes."""

import io
import socket
import threading

import pytest

from agent.adapters.console.secret_files import load_pin
from agent.cli import main

SCANNER = '[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n'


@pytest.fixture
def configured(tmp_path):
    """Return a function that writes a configuration for a port, and a token."""

    def configure(port: int, *, mode: int = 0o600) -> list[str]:
        token = tmp_path / "console-token"
        token.write_text("t" * 43)
        token.chmod(mode)
        file = tmp_path / "agent.toml"
        file.write_text(f'{SCANNER}[state]\ndirectory = "{tmp_path}"\n[console]\nlisten = "127.0.0.1:{port}"\n')
        return ["console", "link", "--config", str(file)]

    return configure


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_without_a_running_agent_it_says_so(configured, capsys):
    assert main(configured(unused_port())) == 1
    assert "is it running" in capsys.readouterr().err


def test_port_zero_cannot_be_found(configured, capsys):
    assert main(configured(0)) == 1
    assert "name a port" in capsys.readouterr().err


def test_a_token_that_others_may_read_is_not_shown_to_anybody(configured, capsys):
    assert main(configured(unused_port(), mode=0o644)) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_without_a_token_it_names_the_file(configured, tmp_path, capsys):
    call = configured(unused_port())
    (tmp_path / "console-token").unlink()
    assert main(call) == 1
    assert "console-token" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "something else"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n[]", "something else"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 36\r\n\r\n" + b'{"title": "who?", "detail": "do it"}', "do it"),
        (b"SSH-2.0-nothing of ours\r\n", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_whatever_answers_there_is_said_in_one_line(configured, capsys, answer, says):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert main(configured(server.getsockname()[1])) == 1
        thread.join(5)
    error = capsys.readouterr().err
    assert says in error
    assert "t" * 43 not in error
    assert len(error.splitlines()) == 1


def test_a_pin_becomes_a_line_for_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("an invented pin\n"))
    assert main(["console", "pin"]) == 0
    file = tmp_path / "pin"
    file.write_text(capsys.readouterr().out)
    file.chmod(0o600)
    assert load_pin(file).matches("an invented pin")


@pytest.mark.parametrize("said", ["", "\n", "12345\n", "x" * 2_000])
def test_a_pin_that_is_none_is_refused(said, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    assert main(["console", "pin"]) == 1
    assert "6 to 64" in capsys.readouterr().err
