"""The OpenAPI document held against the running agent: for each role, whatever a client makes of it, no surprise."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.adapters.console.calls import Calls
from agent.adapters.console.pages import Pages
from fakes.agent_process import RunningAgent, running_agent

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol" / "local-openapi.yaml"
CONTENT = yaml.safe_load(DOCUMENT.read_text())
SCHEMA = schemathesis.openapi.from_dict(CONTENT)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8  # for each call and role


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as one:
        yield one


@pytest.fixture(scope="module", params=["nobody", "program", "kiosk", "staff"])
def headers(request, agent) -> dict[str, str]:
    return {} if request.param == "nobody" else agent.headers(request.param)


def test_the_document_names_every_call_of_the_agent_and_no_other():
    declared = {(method.upper(), path) for path, item in CONTENT["paths"].items() for method in item} - {
        ("PARAMETERS", path) for path in CONTENT["paths"]
    }
    routes = (*Calls(None).routes(), *Pages(None, link_s=1).routes())
    assert declared == {(route.method, route.path) for route in routes}


@SCHEMA.exclude(path="/v1/events").parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_every_call_answers_as_documented(case, agent, headers):
    more = {"Content-Type": "application/json"} if case.method == "POST" else {}
    case.call_and_validate(base_url=agent.url, headers=headers | more, checks=CHECKS, timeout=10, allow_redirects=False)


def test_a_whole_visit_by_the_document(agent):
    program, staff = agent.headers("program"), agent.headers("staff")
    assert requests.get(f"{agent.url}/v1/status", headers=program, timeout=5).json()["trust"] is not None
    answer = requests.post(f"{agent.url}/v1/requests", json={"step": "registration"}, headers=program, timeout=5)
    if answer.status_code == 409:  # one that the calls before have left open
        left = answer.json()["request"]
        requests.post(f"{agent.url}/v1/requests/{left}/cancel", json={}, headers=staff, timeout=5)
        answer = requests.post(f"{agent.url}/v1/requests", json={"step": "registration"}, headers=program, timeout=5)
    assert answer.status_code == 201
    path = f"{agent.url}/v1/requests/{answer.json()['request']}"
    assert requests.post(f"{path}/cancel", json={}, headers=staff, timeout=5).json()["state"] == "cancelled"
    assert requests.post(f"{path}/confirm", json={}, headers=staff, timeout=5).status_code == 409


@pytest.mark.parametrize(("role", "status"), [("nobody", 401), ("program", 200), ("kiosk", 200), ("staff", 200)])
def test_the_stream_of_events_opens_for_every_role(agent, role, status):
    given = {} if role == "nobody" else agent.headers(role)
    with requests.get(f"{agent.url}/v1/events", headers=given, stream=True, timeout=5) as answer:
        assert answer.status_code == status
        if status == 200:
            assert answer.headers["Content-Type"] == "text/event-stream"
