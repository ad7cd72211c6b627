"""What is loaded late is not there when the agent begins, and is the real thing when it is used."""

import subprocess
import sys

import pytest

from agent.late import LATE, loaded_late

LOADED = """
import sys
from agent.late import LATE, loaded_late
with loaded_late():
    import agent.commands.run
"""


def run(program: str) -> str:
    program = LOADED + program
    return subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True).stdout


def test_a_running_agent_has_loaded_none_of_them() -> None:
    assert run("print([name for name in LATE if name in sys.modules])").strip() == "[]"


USES = {
    "aiohttp.client_middleware_digest_auth": "print(aiohttp.DigestAuthMiddleware('a', 'b').__module__)",
    "aiohttp.tracing": "print(aiohttp.TraceConfig().__module__)",
    "ast": "print(inspect.signature(len))",
    "attr.validators": "print(attr.validators.instance_of(int).__class__.__module__)",
    "html.entities": "print(html.unescape('&lt;&eacute;&notit;&nope;'))",
    "idna": "print(yarl.URL('http://b\\u00fccher.example').raw_host)",
    "msgspec._json_schema": "print(msgspec.json.schema(int))",
    "msgspec.inspect": "print(msgspec.inspect.type_info(int).__class__.__module__)",
    "msgspec.toml": "print(msgspec.toml.decode(b'a = 1'))",
    "urllib.request": "print(paho.mqtt.client.urllib.request.getproxies(), aiohttp.helpers.getproxies())",
}
SAID = {
    "ast": "(obj, /)",
    "html.entities": "<\u00e9\u00acit;&nope;",
    "idna": "xn--bcher-kva.example",
    "msgspec._json_schema": "{'type': 'integer'}",
    "msgspec.toml": "{'a': 1}",
    "urllib.request": "{} {}",
}


@pytest.mark.parametrize("name", USES)
def test_used_it_is_the_real_thing(name: str) -> None:
    said = run(
        f"import aiohttp, attr, html, inspect, msgspec, paho.mqtt.client, yarl\n{USES[name]}\n"
        f"assert {name!r} in sys.modules"
    )
    assert said.strip() == SAID.get(name, name)


@pytest.mark.parametrize("name", LATE)
def test_imported_afterwards_it_is_whole(name: str) -> None:
    assert "_Late" not in run(f"import importlib; print(type(importlib.import_module({name!r})).__name__)")


def test_asked_whether_something_is_one_it_answers_as_the_real_thing() -> None:
    assert run(
        "from aiohttp import TraceConfig\nfrom aiohttp.cookiejar import _RestrictedCookieUnpickler as Derived\n"
        "import aiohttp.tracing\n"
        "one = aiohttp.tracing.TraceConfig()\n"
        "print(isinstance(one, TraceConfig), isinstance(7, TraceConfig), isinstance(7, Derived))"
    ).split() == ["True", "False", "False"]


def test_what_derives_from_it_says_what_to_do_and_does_nothing_else() -> None:
    said = run(
        "from aiohttp.cookiejar import _RestrictedCookieUnpickler as Derived\n"
        "try:\n    Derived(None)\nexcept RuntimeError as error:\n    print(error)"
    )
    assert "agent/late.py" in said


def test_what_is_loaded_already_stays() -> None:
    import ast

    with loaded_late():
        assert sys.modules["ast"] is ast
    assert sys.modules["ast"] is ast
