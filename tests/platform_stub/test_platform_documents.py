"""asyncapi.yaml and platform-openapi.yaml held against the running platform: nothing undocumented, nothing made up."""

import asyncio
import contextlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import aiomqtt
import cbor2
import jsonschema
import pycddl
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from vectors import generate

from fakes import brokers
from fakes.mqtt_terminal import connected
from fakes.verification_request import verification_request
from platform_stub import cli, commands, keys
from platform_stub.issuing.issuer import card_of, national_static_text
from platform_stub.mqtt.broker import EmbeddedBroker
from platform_stub.mqtt.credentials import PLATFORM_USER, password_of
from platform_stub.storage.database import Database, DatabaseBroken
from platform_stub.web.server import EVENT_STREAMS_MAX

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol"
OPENAPI = yaml.safe_load((PROTOCOL / "platform-openapi.yaml").read_text())
ASYNCAPI = yaml.safe_load((PROTOCOL / "asyncapi.yaml").read_text())
EXAMPLES = 15
START_S_MAX = 60
schemathesis.checks.load_all_checks()
CONFORMANCE = schemathesis.checks.CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)
METHODS = {"get", "post", "put", "delete", "patch"}


def resolve(document, value):
    while "$ref" in value:
        place = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            place = place[part.replace("~1", "/")]
        value = place
    return value


def operations():
    return [
        (path, method, operation)
        for path, item in OPENAPI["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def payload_schemas(value):
    """Return every schema that names a rule of the CDDL."""
    if isinstance(value, dict):
        if "x-cddl" in value:
            yield value
        for inner in value.values():
            yield from payload_schemas(inner)


def fits(schema, body):
    """Check a message by the file and rule its schema names, and the type it must be signed as."""
    file, rule = schema["x-cddl"].split(" ")
    text = (PROTOCOL / file).read_text()
    needs = re.search(r"Needs ((?:[a-z]+\.cddl(?: and )?)+)", text).group(1)
    text = "".join((PROTOCOL / name).read_text() for name in needs.split(" and ")) + text
    if "x-signed" in schema:
        body = cbor2.loads(body).value[2]
    pycddl.Schema(f"root = {rule}\n{text}").validate_cbor(body)


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["http", "mqtt"])
def test_every_payload_names_a_rule_of_the_cddl_and_how_it_is_signed(document):
    schemas = list(payload_schemas(document))
    assert len(schemas) >= 8
    for schema in schemas:
        file, rule = schema["x-cddl"].split(" ")
        assert re.search(rf"^{rule} = ", (PROTOCOL / file).read_text(), re.MULTILINE), schema
        assert ("x-signed" in schema) == (rule in {
            "receipt", "status", "answer", "command", "verification-request", "verification",
        }), rule  # fmt: skip
        if "x-signed" in schema:
            assert f";   {schema['x-signed']} " in (PROTOCOL / "cose.cddl").read_text()


def test_the_openapi_document_has_the_routes_of_the_platform_and_no_others(served_routes):
    documented = {(method.upper(), path) for path, method, _ in operations()}
    assert served_routes == documented


@pytest.fixture
async def served_routes(run_platform):
    async with run_platform() as platform:
        return {
            (route.method, route.resource.canonical)
            for route in platform.client.server.app.router.routes()
            if route.method != "HEAD"
        }


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A platform in a process of its own, and its address."""
    directory = tmp_path_factory.mktemp("served") / "platform"
    command = [sys.executable, "-m", "platform_stub", "run", str(directory), "--listen", "127.0.0.1:0", "--no-mqtt"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().removeprefix("page: ").strip().rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=START_S_MAX)


@schemathesis.serializer("application/cbor")
def as_it_is(_context, value):
    """Send whatever bytes were drawn."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.mark.parametrize("path", [path for path in OPENAPI["paths"] if path != "/v1/events"])  # a stream has no end
def test_whatever_is_asked_comes_back_as_documented(served, path):
    schema = schemathesis.openapi.from_dict(OPENAPI)
    found = [op for op in (result.ok() for result in schema.get_all_operations()) if op.path == path]
    asked = []
    for operation in found:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case):
            response = case.call(base_url=served)
            asked.append(case.method)
            case.validate_response(response, checks=CONFORMANCE)

        ask()
    assert len(set(asked)) == len(found) >= 1


async def ask(platform, method, path, body=None, headers=None):
    """Make a request; return (status, content type without parameters, body)."""
    if body is not None and headers is None:
        headers = {"Content-Type": "application/cbor"}
    async with platform.client.request(method, path, data=body, headers=headers) as answer:
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        return answer.status, kind, b"" if kind == "text/event-stream" else await answer.read()


def requests_for_each_answer(platform, terminal):
    """Return (method, documented path, status it brings, arguments of `ask`)."""
    key = keys.read_ed25519(platform.layout.keys, keys.COMMANDS_KEY)
    command = commands.sign_command(key, terminal.id, "identify", generate.NOW_S * 1000, 60)
    commands.leave(platform.layout.commands, command)
    stranger = generate.ed25519_key("a stranger")
    good = {
        "hello": (terminal.hello(), 200), "batches": (terminal.batch(), 200),
        "status": (terminal.status(), 204), "answers": (terminal.answer(command.id), 204),
    }  # fmt: skip
    for what, (body, status) in good.items():
        path, place = f"/v1/terminals/{{terminal}}/{what}", f"/v1/terminals/{terminal.id}/{what}"
        yield "post", path, status, (place, body)
        yield "post", path, 400, (place, b"garbage")
        yield "post", path, 409, (f"/v1/terminals/kiosk-9/{what}", body)
        yield "post", path, 413, (place, bytes(300_000))
        yield "post", path, 415, (place, body, {"Content-Type": "text/plain"})
        wrong = {
            "hello": terminal.hello(f7=resigned(stranger, "head", terminal.head())),
            "batches": terminal.batch(f6=resigned(stranger, "head", terminal.head())),
            "status": resigned(stranger, "status", terminal.status()),
            "answers": resigned(stranger, "answer", terminal.answer(bytes(16))),
        }  # fmt: skip
        yield "post", path, 401, (place, wrong[what])
    yield "post", "/v1/terminals/{terminal}/answers", 404, (
        f"/v1/terminals/{terminal.id}/answers", terminal.answer(bytes(16)),
    )  # fmt: skip
    target = min(platform.layout.repository.glob("targets/*.trust-list.json"))
    for what, name in (("metadata", "timestamp.json"), ("targets", target.name)):
        path, place = f"/v1/trust/{what}/{{name}}", f"/v1/trust/{what}/{name}"
        yield "get", path, 200, (place,)
        yield "get", path, 304, (place, None, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
        yield "get", path, 404, (f"/v1/trust/{what}/none.json",)
        yield "get", path, 412, (place, None, {"If-Unmodified-Since": "Fri, 01 Jan 2010 00:00:00 GMT"})
        yield "get", path, 416, (place, None, {"Range": "bytes=900000-"})
        yield "get", path, 206, (place, None, {"Range": "bytes=0-3"})
    path, question = "/v1/codes/verify", verification_request(terminal, national_static_text(card_of("nobody")))
    yield "get", path, 204, (path,)
    yield "post", path, 200, (path, question)
    yield "post", path, 400, (path, b"garbage")
    yield "post", path, 401, (path, resigned(stranger, "verify", question))
    yield "post", path, 409, (path, verification_request(terminal, "x", "other", f3="elsewhere"))
    yield "post", path, 413, (path, bytes(3_000))
    yield "post", path, 415, (path, question, {"Content-Type": "text/plain"})
    yield "get", "/v1/events", 200, ("/v1/events",)
    yield "get", "/healthz", 200, ("/healthz",)
    yield "get", "/", 200, ("/",)


def resigned(key, kind, signed):
    return generate.cose_sign1(key, f"scanward-{kind}-1", cbor2.loads(signed).value[2])


async def test_every_documented_answer_comes_with_its_type_and_its_cddl(run_platform, terminal, monkeypatch):
    terminal.fill(2)
    seen = set()
    async with run_platform(terminal) as platform:
        await platform.greet(terminal)
        for method, path, status, arguments in requests_for_each_answer(platform, terminal):
            if arguments[0].endswith("/answers") and status == 204:
                await until_no_command_lies_there(platform)
            got, kind, body = await ask(platform, method, *arguments)
            assert got == status, (arguments[0], body)
            check_answer(path, method, status, kind, body)
            seen.add((path, method, str(status)))
        async with contextlib.AsyncExitStack() as pages:
            for _ in range(EVENT_STREAMS_MAX):
                pages.callback((await platform.client.get("/v1/events")).close)
            got, kind, body = await ask(platform, "get", "/v1/events")
            check_answer("/v1/events", "get", got, kind, body)
            seen.add(("/v1/events", "get", str(got)))
        monkeypatch.setattr(Database, "write", no_longer_writes)
        for what, body in (("hello", terminal.hello()), ("batches", terminal.batch()), ("status", terminal.status()),
                           ("answers", terminal.answer(bytes(16)))):  # fmt: skip
            path = f"/v1/terminals/{{terminal}}/{what}"
            got, kind, problem = await ask(platform, "post", path.replace("{terminal}", terminal.id), body)
            check_answer(path, "post", got, kind, problem)
            seen.add((path, "post", str(got)))
        path, new = "/v1/codes/verify", verification_request(terminal, national_static_text(card_of("a")), "another")
        got, kind, problem = await ask(platform, "post", path, new)
        check_answer(path, "post", got, kind, problem)
        seen.add((path, "post", str(got)))
    assert seen == {(path, method, status) for path, method, op in operations() for status in op["responses"]}


async def no_longer_writes(_database, _job, _subject=""):
    raise DatabaseBroken("the disk is gone")


def check_answer(path, method, status, kind, body):
    """Check an answer against the document, and a body of CBOR against its rule."""
    response = resolve(OPENAPI, OPENAPI["paths"][path][method]["responses"][str(status)])
    if "content" not in response:
        assert body == b""
        return
    (documented,) = response["content"]
    assert kind == documented, (path, status)
    schema = resolve(OPENAPI, response["content"][documented]["schema"])
    if "x-cddl" in schema:
        fits(schema, body)
    if kind.endswith("json"):
        jsonschema.validate(json.loads(body), schema)


async def until_no_command_lies_there(platform):
    async with asyncio.timeout(20):
        while list(platform.layout.commands.glob("*.command")):  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.05)


def test_every_call_of_the_platform_in_a_guide_is_one_it_knows():
    calls = [
        line for block in re.findall(r"```sh\n(.*?)```", (PROTOCOL.parent / "platform.md").read_text(), re.DOTALL)
        for line in block.splitlines() if line.startswith("scanward-platform ")
    ]  # fmt: skip
    assert {call.split()[1] for call in calls} >= {"init", "run", "register", "broker-acl", "command", "commands"}
    for call in calls:
        cli._parser().parse_args(shlex.split(call)[1:])


def test_the_asyncapi_document_has_the_structure_of_asyncapi_3():
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= ASYNCAPI["info"].keys()
    for name, channel in ASYNCAPI["channels"].items():
        assert set(channel) <= {"address", "parameters", "messages", "summary", "description"}, name
        assert set(re.findall(r"\{([a-z]+)\}", channel["address"])) == channel.get("parameters", {}).keys()
        assert all(resolve(ASYNCAPI, parameter)["description"] for parameter in channel.get("parameters", {}).values())
        (message,) = (resolve(ASYNCAPI, message) for message in channel["messages"].values())
        assert {"summary", "payload"} <= message.keys(), name
    used = set()
    for name, operation in ASYNCAPI["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        for reference in (operation["channel"], operation.get("reply", operation)["channel"]):
            assert set(reference) == {"$ref"}
            assert reference["$ref"].startswith("#/channels/")
            assert resolve(ASYNCAPI, reference) in ASYNCAPI["channels"].values()
        address = resolve(ASYNCAPI, operation["channel"])["address"]
        assert ("/up/" in address) == (operation["action"] == "receive"), name
        assert operation["bindings"]["mqtt"]["qos"] == 1
        used.add(operation["channel"]["$ref"].rpartition("/")[2])
    assert used == set(ASYNCAPI["channels"])


async def test_every_topic_on_the_broker_is_documented_and_every_documented_one_is_heard(run_platform, terminal):
    brokers.require("nats")
    terminal.fill(2)
    async with run_platform(terminal, mqtt=EmbeddedBroker("127.0.0.1", 0)) as platform:
        at = await platform.broker()
        passwords = platform.layout.mqtt
        login = aiomqtt.Client(*at, username=PLATFORM_USER, password=password_of(passwords, PLATFORM_USER))
        async with login as witness, connected(at, terminal, password_of(passwords, terminal.id)) as line:
            await witness.subscribe("scanward/1/#", qos=1)
            await line.ask("hello", terminal.hello(f3="elsewhere"), "problem")
            await line.ask("hello", terminal.hello(), "hello")
            await line.ask("batch", terminal.batch(), "receipt")
            await line.say("status", terminal.status(), retain=True)
            key = keys.read_ed25519(platform.layout.keys, keys.COMMANDS_KEY)
            command = commands.sign_command(key, terminal.id, "diagnostics", generate.NOW_S * 1000, 60)
            commands.leave(platform.layout.commands, command)
            await line.hear("command")
            await line.say("answer", terminal.answer(command.id, 0, "{}"))
            heard = await heard_until(witness, "up/answer")
    channels = {channel_of(topic): body for topic, body in heard}
    assert channels.keys() == ASYNCAPI["channels"].keys()
    for name, body in channels.items():
        (message,) = (resolve(ASYNCAPI, one) for one in ASYNCAPI["channels"][name]["messages"].values())
        if message.get("contentType") == "application/json":
            jsonschema.validate(json.loads(body), message["payload"])
            continue
        assert len(body) <= message["payload"].get("maxLength", 300_000)
        fits(message["payload"], body)


async def heard_until(witness, last):
    """Return all that is heard until a topic that ends so."""
    heard = []
    async with asyncio.timeout(20):
        async for message in witness.messages:
            heard.append((str(message.topic), message.payload))
            if heard[-1][0].endswith(last):
                return heard
    raise AssertionError("the messages ended")


def channel_of(topic):
    """Return the documented channel that a topic belongs to."""
    for name, channel in ASYNCAPI["channels"].items():
        if re.fullmatch(re.sub(r"\{[a-z]+\}", "[a-z0-9-]{1,32}", channel["address"]), topic):
            return name
    raise AssertionError(f"{topic} is not documented")
