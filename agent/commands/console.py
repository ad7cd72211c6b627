"""`scanward console`: links into the running agent's pages, and the hash of the staff's PIN.

Neither a key nor a PIN is logged; a link is printed because whoever may read the token may make one.
"""

import argparse
import http.client
import json
import sys
from pathlib import Path

from agent.adapters.clock import SystemRandomness
from agent.adapters.console.secret_files import hash_pin, load_token
from agent.app import Paths
from agent.config import Config, ConfigInvalid, load
from agent.ports import SecretUnusable

ANSWER_S_MAX = 5.0
ANSWER_BYTES_MAX = 16_384
PIN_BYTES_MAX = 1_024


class _NoLink(Exception):
    """The agent gave none; the message says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    link = actions.add_parser("link", help="print a link that opens a page once, within a few minutes")
    link.add_argument("--role", choices=("kiosk", "staff"), default="kiosk", help="whose page; the kiosk's by default")
    link.add_argument("--config", required=True, type=Path, metavar="FILE", help="the configuration, TOML")
    actions.add_parser("pin", help="read a PIN from standard input and print what [console] staff_pin_file must hold")


def run(args: argparse.Namespace) -> int:
    """Do one action; return 0 where it could be done, 1 where not."""
    try:
        print(_pin() if args.action == "pin" else _link(load(args.config), args.role))
    except (ConfigInvalid, SecretUnusable, _NoLink, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _pin() -> str:
    if sys.stdin.isatty():
        print("the staff's PIN, then Enter (it is shown as you type):", file=sys.stderr)
    return hash_pin(sys.stdin.readline(PIN_BYTES_MAX).rstrip("\r\n"), SystemRandomness()).line


def _link(config: Config, role: str) -> str:
    """Ask the running agent for a link. Raises _NoLink, SecretUnusable."""
    settings = config.console
    if settings.port == 0:
        raise _NoLink("[console] listen has port 0: name a port, so that the agent can be found")
    token = load_token(Path(settings.token_file or Paths(config.state_directory).console_token))
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=ANSWER_S_MAX)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/links", json.dumps({"role": role}), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read(ANSWER_BYTES_MAX))
        if answer.status == 201:
            return str(content["url"])
        raise _NoLink(f"the agent refuses ({content.get('title')}): {content.get('detail')}")
    except (OSError, http.client.HTTPException) as error:
        raise _NoLink(f"the agent does not answer on {settings.listen}: is it running, with this file?") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _NoLink(f"something else than the agent answers on {settings.listen}") from error
    finally:
        connection.close()
