"""MQTT on the command line: which broker, what a terminal has to be configured with, and access rules for Mosquitto."""

import argparse
import functools
import json
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from platform_stub.mqtt import topics
from platform_stub.mqtt.broker import EmbeddedBroker
from platform_stub.mqtt.carrier import PLAIN_PORT, TLS_PORT, BrokerAddress
from platform_stub.mqtt.credentials import PLATFORM_USER, PasswordUnusable, password_file, read_password
from platform_stub.registry import Registry

DEFAULT_LISTEN = f"127.0.0.1:{PLAIN_PORT}"


class MqttUsageWrong(Exception):
    """The arguments about MQTT do not fit together; the message says how."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to a command."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--mqtt", default=DEFAULT_LISTEN, metavar="HOST:PORT",
        help="where its own broker listens (%(default)s); port 0: any",
    )  # fmt: skip
    which.add_argument("--mqtt-url", metavar="URL", help="another broker: mqtt[s]://user@host[:port]")
    which.add_argument("--no-mqtt", action="store_true", help="HTTP only")
    parser.add_argument("--mqtt-password-file", type=Path, metavar="FILE", help="the password for --mqtt-url")


def read(args: argparse.Namespace) -> EmbeddedBroker | BrokerAddress | None:
    """Return which broker is meant. Raises MqttUsageWrong."""
    if args.mqtt_password_file is not None and args.mqtt_url is None:
        raise MqttUsageWrong("--mqtt-password-file goes with --mqtt-url")
    if args.no_mqtt:
        return None
    if args.mqtt_url is not None:
        return _address(args.mqtt_url, args.mqtt_password_file)
    host, _, port = args.mqtt.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise MqttUsageWrong(f"--mqtt wants HOST:PORT, not {args.mqtt!r}")
    return EmbeddedBroker(host.strip("[]"), int(port))


def section(directory: Path, terminal: str) -> str:
    """Return what is to be done at a terminal so that it logs in; the password itself is not in it."""
    path = password_file(directory, terminal).resolve()
    return (
        f"For MQTT, copy {path} to the terminal, readable by the agent only, and configure there:\n\n"
        "[uplink.mqtt]\n"
        f'url = "mqtt://{DEFAULT_LISTEN}"  # where the broker is; mqtts:// beyond this machine\n'
        f"username = {json.dumps(terminal)}\n"
        f"password_file = {json.dumps(str(path))}  # where the copy lies"
    )


def access_rules(terminals: Path, platform_user: str = PLATFORM_USER) -> str:
    """Return an acl_file for Mosquitto: each terminal below its own topics, the platform below all of them."""
    registry = Registry(terminals)
    registry.scan()
    lines = [f"user {platform_user}", f"topic readwrite {topics.PREFIX}/#"]
    for terminal in sorted(registry.all(), key=lambda one: one.id):
        lines += ["", f"user {terminal.id}"]
        lines += [f"topic write {one}" for one in topics.published_by(terminal)]
        lines += [f"topic read {one}" for one in topics.read_by(terminal)]
    return "\n".join(lines)


def _address(url: str, password: Path | None) -> BrokerAddress:
    wanted = "--mqtt-url wants mqtt://user@host[:port] or mqtts://..., without a password: that goes into a file"
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise MqttUsageWrong(wanted) from error
    is_tls = parts.scheme == "mqtts"
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.password or parts.path.strip("/"):
        raise MqttUsageWrong(wanted)
    read_it = None
    if password is not None:
        read_it = functools.partial(read_password, password)
        try:
            read_it()
        except PasswordUnusable as error:
            raise MqttUsageWrong(str(error)) from error
    return BrokerAddress(parts.hostname, port or (TLS_PORT if is_tls else PLAIN_PORT), parts.username, read_it, is_tls)
