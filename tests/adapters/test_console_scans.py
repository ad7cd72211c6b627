"""Bringing scans and triggering scanners over real HTTP: what is taken, and how everything else is refused."""

import pytest

from agent.core.requests import Role
from agent.core.scan import SCAN_BYTES_MAX
from agent.ports import Entered
from fakes.console_parts import served as serve


@pytest.fixture
async def one(tmp_path):
    async with serve(tmp_path) as served:
        yield served


async def brought(one, body: object) -> tuple[int, dict]:
    async with one.client() as client, client.post("/v1/scans", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize(
    ("body", "entered"),
    [
        ({"data": "EHC1:ABC "}, (b"EHC1:ABC ", None)),
        ({"data": "姓名\x1d", "aim": "]Q3"}, ("姓名\x1d".encode(), "]Q3")),
        ({"hex": "00fF0d0A"}, (b"\x00\xff\r\n", None)),
        ({"hex": "41", "data": None, "aim": None}, (b"A", None)),
    ],
)
async def test_a_scan_is_taken_byte_for_byte_and_answered_with_nothing_of_it(one, body, entered):
    assert await brought(one, {"scanner": "phone", **body}) == (202, {"scanner": "phone"})
    assert one.scans.entered == [("phone", *entered)]


@pytest.mark.parametrize(
    "body",
    [
        {"scanner": "phone"}, {"scanner": "phone", "data": "A", "hex": "41"}, {"scanner": "phone", "data": ""},
        {"scanner": "phone", "hex": ""}, {"scanner": "phone", "hex": "4"}, {"scanner": "phone", "hex": "4 1 "},
        {"scanner": "phone", "hex": "zz"}, {"scanner": "phone", "hex": "４１"}, {"scanner": "phone", "data": 1},
        {"scanner": "phone", "data": "A", "aim": "Q1"}, {"scanner": "phone", "data": "A", "aim": "]Q1\n"},
        {"scanner": "phone", "data": "A", "aim": "]é1"}, {"scanner": "phone", "data": "A", "step": "payment"},
        {"data": "A"}, {"scanner": "../x", "data": "A"}, [],
    ],
)  # fmt: skip
async def test_what_is_no_scan_is_422_and_nothing_of_it_is_taken(one, body):
    status, content = await brought(one, body)
    assert (status, content["type"]) == (422, "body")
    assert one.scans.entered == []


async def test_half_a_character_is_refused(one):
    async with one.client() as client:
        data = b'{"scanner": "phone", "data": "\\ud800"}'
        async with client.post("/v1/scans", data=data, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status in {400, 422}
    assert one.scans.entered == []


@pytest.mark.parametrize(
    ("says", "status", "wait"),
    [(Entered.UNKNOWN, 422, None), (Entered.TOO_LONG, 422, None), (Entered.FULL, 503, "1"), (Entered.FLOOD, 429, "2")],
)
async def test_what_is_not_taken_is_refused_with_what_to_do(one, says, status, wait):
    one.scans.says = says
    body = {"scanner": "phone", "data": "PLANTED"}
    async with one.client() as client, client.post("/v1/scans", json=body) as answer:
        content = await answer.json(content_type="application/problem+json")
        assert (answer.status, content["type"]) == (status, f"scan-{says.value}")
        assert answer.headers.get("Retry-After") == wait
        assert content["detail"]
        assert "PLANTED" not in await answer.text()


async def test_what_no_code_can_hold_is_413(one):
    status, content = await brought(one, {"scanner": "phone", "hex": "41" * (SCAN_BYTES_MAX + 1)})
    assert (status, content["type"]) == (413, "too-large")


async def test_a_scanner_with_a_trigger_is_told_by_program_and_staff(one):
    for role in (Role.PROGRAM, Role.STAFF):
        async with one.client(role) as client:
            for on in (True, False):
                async with client.post("/v1/scanners/camera/trigger", json={"on": on}) as answer:
                    assert (answer.status, await answer.read()) == (204, b"")
    assert one.scans.triggered == [("camera", True), ("camera", False)] * 2


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("desk", {"on": True}, (409, "no-trigger")),
        ("nothing", {"on": True}, (404, "scanner-unknown")),
        ("camera", {}, (422, "body")),
        ("camera", {"on": "yes"}, (422, "body")),
    ],
)
async def test_one_without_a_trigger_is_409_and_one_that_is_not_there_404(one, path, body, expected):
    async with one.client() as client, client.post(f"/v1/scanners/{path}/trigger", json=body) as answer:
        content = await answer.json(content_type="application/problem+json")
        assert (answer.status, content["type"]) == expected
