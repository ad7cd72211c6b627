"""An orderly stop takes a moment, whatever the network does: a reload is one, and a patient may be waiting."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

START_S_MAX = 20.0
STOP_S_MAX = 10.0  # TimeoutStopSec is 20


@contextlib.contextmanager
def a_port_that_answers_no_connection() -> Iterator[int]:
    """Listen, and have the queue of connections full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_broker_that_swallows_connections_does_not_hold_the_stop_up(tmp_path):
    log = tmp_path / "log"
    with a_port_that_answers_no_connection() as port, log.open("wb") as out:
        config = tmp_path / "agent.toml"
        config.write_text(
            f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "{tmp_path}/no-scanner"\n'
            f'[state]\ndirectory = "{tmp_path}/state"\n[console]\nlisten = "127.0.0.1:0"\n'
            f'[uplink.mqtt]\nurl = "mqtt://127.0.0.1:{port}"\nconnect_timeout_s = 60\n'
        )
        agent = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "--config", str(config)], stdout=out, stderr=subprocess.STDOUT
        )
        try:
            due_s = time.monotonic() + START_S_MAX
            while "no connection to the broker yet" not in log.read_text():
                assert agent.poll() is None, log.read_text()
                assert time.monotonic() < due_s, log.read_text()
                time.sleep(0.05)
            agent.terminate()
            assert agent.wait(STOP_S_MAX) == 0, log.read_text()
        finally:
            agent.kill()
            agent.wait()
