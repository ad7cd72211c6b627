"""The platform as a process of its own, and plain HTTP to speak to it."""

import http.client
import subprocess
import sys
from urllib.parse import urlsplit

import cbor2

START_S_MAX = 60


def start(directory, *arguments):
    """Start the platform, without a broker unless one is asked for; return (process, address of its page)."""
    if not any(argument.startswith("--mqtt") for argument in arguments):
        arguments = (*arguments, "--no-mqtt")
    command = [sys.executable, "-m", "platform_stub", "run", str(directory), "--listen", "127.0.0.1:0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("page: http://127.0.0.1:"), process.communicate(timeout=START_S_MAX)
    return process, line.removeprefix("page: ").strip()


def finish(process, number):
    process.send_signal(number)
    out, err = process.communicate(timeout=START_S_MAX)
    return process.returncode, out, err


def ask(address, method, path, body=None):
    """Make one request; return the answer's body."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=START_S_MAX)
    try:
        connection.request(method, path, body, {"Content-Type": "application/cbor"} if body else {})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()


def post(address, terminal, what, body):
    return ask(address, "POST", f"/v1/terminals/{terminal.id}/{what}", body)


def receipt_of(signed):
    return cbor2.loads(cbor2.loads(signed).value[2])
