"""The calls over real HTTP: who may make them, what they take, what they answer."""

import asyncio
import json

import aiohttp
import pytest

from agent.adapters.console.roles import COOKIE
from agent.adapters.console.routes import ANYONE
from agent.core.decision import Answer, Decision
from agent.core.requests import Role
from agent.core.verdict import Outcome, Verdict
from fakes.console_parts import PIN, TOKEN, next_event, quick_pin
from fakes.console_parts import served as serve
from fakes.ledger_parts import draft

NOWHERE = "00" * 16
OPEN_TO_ALL = {"/healthz", "/enter", "/assets/{name}", "/v1/sign-in"}
ASKING = Decision(Answer.ASK, "confirm.pharmacist", "dispensing", Verdict("ehc", Outcome.VERIFIED, "ok"))


@pytest.fixture
async def one(tmp_path):
    async with serve(tmp_path, pin=quick_pin()) as served:
        yield served


async def call(client, route, **more):
    path = route.path.replace("{id}", NOWHERE).replace("{seq}", "7").replace("{name}", "x.js")
    body = {} if route.method == "GET" else {"json": {}}
    return client.request(route.method, path, allow_redirects=False, **body, **more)


async def problem_of(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    content = await answer.json(content_type="application/problem+json")
    assert content["status"] == answer.status
    assert content["title"]
    assert content["detail"]
    return answer.status, content["type"]


async def ask(one) -> str:
    """Have a decision ask for the pharmacist; return the id of its request."""
    transaction = await one.ledger.append(draft())
    await one.desk.decided("desk", ASKING, transaction)
    return one.desk.waiting()[-1].id.hex()


async def test_every_route_says_who_may_call_it_and_few_are_open_to_all(one):
    served = {(r.method, r.resource.canonical) for r in one.server._runner.app.router.routes()}
    declared = {(route.method, route.path) for route in one.server.routes}
    assert served == declared
    assert {route.path for route in one.server.routes if route.roles is ANYONE} == OPEN_TO_ALL
    assert all(route.roles is ANYONE or route.roles for route in one.server.routes)


async def test_without_a_role_every_call_but_the_way_in_is_401_and_says_how(one):
    async with one.client(None) as client:
        for route in one.server.routes:
            if route.roles is ANYONE:
                continue
            for headers in ({}, {"Cookie": f"{COOKIE}={'ab' * 32}"}, {"Authorization": "Bearer wrong"}):
                async with await call(client, route, headers=headers) as answer:
                    assert answer.status == 401, route.path
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                    if route.refused is None:
                        assert await problem_of(answer) == (401, "sign-in")


@pytest.mark.parametrize("role", list(Role))
async def test_a_wrong_role_is_403_on_every_call_that_is_not_for_it(one, role):
    async with one.client(role) as client:
        refused = [route for route in one.server.routes if route.roles is not ANYONE and role not in route.roles]
        assert refused
        for route in refused:
            async with await call(client, route) as answer:
                assert answer.status == 403, route.path
                if route.refused is None:
                    assert await problem_of(answer) == (403, "role")


async def test_a_kiosk_gets_403_on_every_call_of_the_staff_whether_or_not_there_is_such_a_thing(one):
    paths = ["/v1/parked", "/v1/diagnostics", "/metrics", "/staff"]
    async with one.client(Role.KIOSK) as client:
        for path in paths:
            async with client.get(path) as answer:
                assert answer.status == 403, path
        for id_ in (NOWHERE, "garbage", await ask(one)):
            for path in (f"/v1/requests/{id_}/confirm", f"/v1/requests/{id_}/items", f"/v1/requests/{id_}/cancel"):
                async with client.post(path, json={}) as answer:
                    assert await problem_of(answer) == (403, "role"), path
        for path in ("/v1/parked/1/retry", "/v1/links", "/v1/sign-out"):
            async with client.post(path, json={}) as answer:
                assert await problem_of(answer) == (403, "role"), path
    assert len(one.desk.waiting()) == 1


async def test_foreign_hosts_and_origins_are_refused_on_every_route_whatever_the_role(one):
    for role in (*Role, None):
        async with one.client(role) as client:
            for route in one.server.routes:
                for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
                    async with await call(client, route, headers=headers) as answer:
                        assert await problem_of(answer) in {(403, "foreign-host"), (403, "foreign-origin")}, route.path


async def test_a_call_with_a_cookie_that_changes_something_names_its_own_origin_and_is_json(one):
    headers = await one.headers(Role.STAFF)
    cookie = {"Cookie": headers["Cookie"]}
    async with one.client(None) as client:
        for route in one.server.routes:
            if route.method == "GET" or (route.roles is not ANYONE and Role.STAFF not in route.roles):
                continue
            async with await call(client, route, headers=cookie) as answer:
                assert await problem_of(answer) == (403, "foreign-origin"), route.path
            path = route.path.replace("{id}", NOWHERE).replace("{seq}", "7")
            for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
                given = headers | ({"Content-Type": content_type} if content_type else {})
                async with client.post(path, data=b"{}", headers=given) as answer:
                    assert await problem_of(answer) == (415, "not-json"), route.path


async def test_every_answer_carries_what_keeps_a_browser_safe(one):
    async with one.client(Role.STAFF) as client:
        for path in ("/", "/staff", "/v1/status", "/nothing", "/enter"):
            async with client.get(path) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-store"
                csp = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in csp
                assert "unsafe" not in csp


async def test_a_one_time_link_opens_a_page_once(one):
    async with one.client() as program, program.post("/v1/links", json={"role": "staff"}) as answer:
        assert answer.status == 201
        url = (await answer.json())["url"]
    assert url.startswith(f"{one.server.address}/enter?key=")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.head(url) as answer:
            assert answer.status == 405, "looking ahead does not use it up"
        async with browser.get(url) as answer:
            assert (answer.status, answer.url.path) == (200, "/staff")
            (entered,) = answer.history
            assert entered.status == 303
            cookie = entered.headers["Set-Cookie"]
            assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
        async with browser.get(f"{one.server.address}/v1/diagnostics") as answer:
            assert answer.status == 200
    async with aiohttp.ClientSession() as other, other.get(url) as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers
        assert "link" in await answer.text()


async def test_a_page_without_a_session_says_how_to_get_one(one):
    async with one.client(None) as client, client.get("/") as answer:
        assert answer.status == 401
        assert "scanward console link --role kiosk" in await answer.text()


async def test_the_staff_page_can_be_signed_in_on_but_shows_nothing_before(one):
    async with one.client(None) as client, client.get("/staff") as answer:
        assert (answer.status, answer.content_type) == (401, "text/html")


async def test_assets_are_there_by_name_and_nothing_else_is(one):
    one.server._pages._files["app.js"] = b"// ours"
    async with one.client(None) as client:
        async with client.get("/assets/app.js") as answer:
            assert (answer.status, answer.content_type) == (200, "text/javascript")
        for name in ("index.html", "nothing.js", "..%2fcalls.py", "app.js%00"):
            async with client.get(f"/assets/{name}") as answer:
                assert answer.status == 404, name


async def test_staff_sign_in_and_out_from_a_kiosk_screen(one):
    headers = await one.headers(Role.KIOSK)
    origin = {"Origin": one.server.address}
    async with one.client(None) as client:
        async with client.post("/v1/sign-in", json={"pin": "000000"}, headers=headers) as answer:
            assert await problem_of(answer) == (403, "wrong-pin")
            assert "000000" not in await answer.text()
        async with client.post("/v1/sign-in", json={"pin": PIN}, headers=headers) as answer:
            assert answer.status == 200
            staff = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}", **origin}
        async with client.get("/v1/parked", headers=staff) as answer:
            assert answer.status == 200
        async with client.post("/v1/sign-out", json={}, headers=staff) as answer:
            assert (await answer.json())["role"] == "kiosk"
            kiosk = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}", **origin}
        async with client.get("/v1/status", headers=staff) as answer:
            assert answer.status == 401
        async with client.get("/", headers=kiosk) as answer:
            assert answer.status == 200


async def test_too_many_wrong_pins_make_everybody_wait(one):
    async with one.client(None) as client:
        for _ in range(5):
            async with client.post("/v1/sign-in", json={"pin": "1"}, headers={"Origin": one.server.address}) as answer:
                assert answer.status == 403
        async with client.post("/v1/sign-in", json={"pin": PIN}, headers={"Origin": one.server.address}) as answer:
            assert await problem_of(answer) == (429, "try-later")
            assert 55 <= int(answer.headers["Retry-After"]) <= 60


async def test_without_a_pin_staff_come_in_by_a_link_only(tmp_path):
    async with serve(tmp_path) as one, one.client(None) as client:
        async with client.post("/v1/sign-in", json={"pin": PIN}, headers={"Origin": one.server.address}) as answer:
            assert await problem_of(answer) == (409, "no-pin")
        async with client.get("/staff") as answer:
            assert "scanward console link --role staff" in await answer.text()


async def test_a_request_from_opening_to_lapse_of_its_answers(one):
    async with one.client() as program, one.client(Role.STAFF) as staff:
        body = {"step": "payment", "scanner": "desk", "details": {"amount": "12.00"}}
        async with program.post("/v1/requests", json=body) as answer:
            assert answer.status == 201
            opened = await answer.json()
        assert (opened["state"], opened["by"], opened["details"]) == ("open", "program", {"amount": "12.00"})
        assert 58 <= opened["expires_in_s"] <= 60
        async with program.post("/v1/requests", json={"step": "payment"}) as answer:
            content = json.loads(await answer.text())
            assert (answer.status, content["type"], content["request"]) == (409, "request-open", opened["request"])
        for _ in range(2):
            async with program.post(f"/v1/requests/{opened['request']}/cancel", json={}) as answer:
                assert (answer.status, (await answer.json())["state"]) == (200, "cancelled")
        async with staff.post(f"/v1/requests/{opened['request']}/confirm", json={}) as answer:
            assert await problem_of(answer) == (409, "request-over")
        async with staff.get(f"/v1/requests/{NOWHERE}") as answer:
            assert await problem_of(answer) == (404, "request-unknown")


async def test_staff_confirm_what_a_decision_asked_and_a_program_only_where_it_may(one, tmp_path):
    asked = await ask(one)
    async with one.client() as program, one.client(Role.STAFF) as staff:
        async with program.post(f"/v1/requests/{asked}/confirm", json={}) as answer:
            assert await problem_of(answer) == (403, "role")
        items = {"items": ["81234567890123456789"]}
        for _ in range(2):
            async with staff.post(f"/v1/requests/{asked}/items", json=items) as answer:
                assert (await answer.json())["items"] == items["items"]
        async with staff.post(f"/v1/requests/{asked}/items", json={"items": ["A1", "B2", "A1"]}) as answer:
            assert await problem_of(answer) == (422, "item-twice")
        first, again = [await (await staff.post(f"/v1/requests/{asked}/confirm", json={})).json() for _ in range(2)]
        assert first == again
        assert (first["state"], first["asks"]) == ("confirmed", "pharmacist")
    (tmp_path / "other").mkdir()
    async with serve(tmp_path / "other", program_may_confirm=True) as other:
        asked = await ask(other)
        async with other.client() as program, program.post(f"/v1/requests/{asked}/confirm", json={}) as answer:
            assert answer.status == 200


async def test_a_patient_confirms_on_the_kiosk_what_asks_the_patient(one):
    decision = Decision(Answer.ASK, "confirm.patient", "record-query", Verdict("ehc", Outcome.VERIFIED, "ok"))
    await one.desk.decided("desk", decision, await one.ledger.append(draft()))
    asked = one.desk.waiting()[0].id.hex()
    async with one.client(Role.KIOSK) as kiosk:
        async with kiosk.get("/v1/status") as answer:
            assert (await answer.json())["request"]["request"] == asked
        async with kiosk.post(f"/v1/requests/{asked}/confirm", json={}) as answer:
            assert (answer.status, (await answer.json())["state"]) == (200, "confirmed")


async def test_a_kiosk_opens_and_cancels_its_own_and_sees_only_what_is_public_of_others(one):
    async with one.client(Role.KIOSK) as kiosk, one.client() as program:
        async with kiosk.post("/v1/requests", json={"step": "dispensing"}) as answer:
            assert await problem_of(answer) == (403, "staff-needed")
        async with kiosk.post("/v1/requests", json={"step": "payment", "scanner": "desk"}) as answer:
            own = (await answer.json())["request"]
        async with program.post(
            "/v1/requests", json={"step": "payment", "scanner": "till", "details": {"ward": "7"}}
        ) as answer:
            others = (await answer.json())["request"]
        async with kiosk.get(f"/v1/requests/{others}") as answer:
            assert "ward" not in await answer.text()
        async with kiosk.post(f"/v1/requests/{others}/cancel", json={}) as answer:
            assert answer.status == 403
        async with kiosk.post(f"/v1/requests/{own}/cancel", json={}) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[" * 10_000, 422),
        (b"\xff", 400),
        (b'{"step": "PAY"}', 422),
        (b'{"step": "pay\\n"}', 422),
        (b'{"step": "payment", "scanner": "x\\n"}', 422),
        (b'{"step": "payment", "more": 1}', 422),
        (b'{"step": "payment", "details": {"A": "x"}}', 422),
        (b'{"step": "payment", "details": {"a": "' + b"x" * 65 + b'"}}', 422),
        (json.dumps({"step": "payment", "details": {f"a{n}": "" for n in range(17)}}).encode(), 422),
        (b'{"step": "surgery"}', 422),
        (b'"' + b"x" * 17_000 + b'"', 413),
    ],
)
async def test_bodies_that_are_not_what_a_call_takes_change_nothing(one, body, status):
    async with one.client() as client:
        headers = {"Content-Type": "application/json"}
        async with client.post("/v1/requests", data=body, headers=headers) as answer:
            assert (await problem_of(answer))[0] == status
    assert one.ledger.head_seq == 0


async def test_a_kiosk_hears_decisions_and_requests_and_only_public_notices(one):
    async with one.client(Role.KIOSK) as kiosk, one.client(Role.STAFF) as staff:
        async with kiosk.get("/v1/events") as public, staff.get("/v1/events") as full:
            await one.console.notice("conflict", "record 7: replay.used-elsewhere")
            one.console.scanner("desk", "absent", "unplugged")
            one.console.delivery({"name": "http", "is_up": False, "waiting": 3})
            await one.console.notice("ledger-full", "storage is full: nothing can be accepted now")
            await ask(one)
            seen = [await next_event(public) for _ in range(2)]
            assert [topic for topic, _ in seen] == ["notice", "request"]
            assert seen[0][1]["topic"] == "ledger-full"
            assert seen[1][1]["state"] == "asking"
            assert [topic for topic, _ in [await next_event(full) for _ in range(5)]] == [
                "notice", "scanner", "delivery", "notice", "request",
            ]  # fmt: skip
        async with kiosk.get("/v1/events", headers={"Last-Event-ID": "0"}) as public:
            assert (await next_event(public))[1]["topic"] == "ledger-full", "what was missed is filtered as well"


async def test_a_stream_ends_with_the_session_it_was_opened_by(one):
    async with one.client(Role.STAFF) as staff, staff.get("/v1/events") as stream:
        (session,) = one.entrance._sessions
        await one.entrance.sign_out(session)
        await one.console.notice("parked", "the platform rejected record 3")
        async with asyncio.timeout(5):
            assert b"parked" not in await stream.content.read()


async def test_the_kiosk_gets_the_short_status_and_staff_all_of_it(one):
    async with one.client(Role.KIOSK) as kiosk, kiosk.get("/v1/status") as answer:
        assert await answer.json() == {
            "terminal": "kiosk-1",
            "ready": True,
            "uplink_up": True,
            "step": "registration",
            "scanners": [{"id": "desk", "presence": "present"}],
        }
    await ask(one)
    async with one.client(Role.STAFF) as staff, staff.get("/v1/status") as answer:
        status = await answer.json()
        assert status["ledger"]["head_seq"] == one.ledger.head_seq
        assert [request["state"] for request in status["requests"]] == ["asking"]


async def test_parked_records_are_shown_and_sent_again_when_staff_say_so(one):
    await one.ledger.append(draft(1))
    head = one.ledger.head_seq
    await one.ledger.settle("platform", head, [(head, "cose.signature\x1b[31m")])
    async with one.client(Role.STAFF) as staff:
        async with staff.get("/v1/parked") as answer:
            content = await answer.json()
            assert (content["count"], content["parked"][0]["seq"]) == (1, head)
            assert "\x1b" not in content["parked"][0]["reason"]
        for _ in range(2):
            async with staff.post(f"/v1/parked/{head}/retry", json={}) as answer:
                assert answer.status == 200, "asked twice is asked once"
        async with staff.get("/v1/parked") as answer:
            assert (await answer.json())["count"] == 0
        for seq in ("99", "x", "9" * 30, "-1"):
            async with staff.post(f"/v1/parked/{seq}/retry", json={}) as answer:
                assert await problem_of(answer) == (404, "not-parked")
    assert [record.seq for record in await one.ledger.resend("platform")] == [head]


async def test_diagnostics_hold_versions_and_the_last_notices(one):
    for number in range(120):
        await one.console.notice("uplink", f"try {number}")
    async with one.client(Role.STAFF) as staff, staff.get("/v1/diagnostics") as answer:
        content = await answer.json()
    assert len(content["notices"]) == 100
    assert content["notices"][-1]["text"] == "try 119"
    assert content["versions"]["scanward"]


async def test_metrics_are_prometheus_text_with_bounded_labels(one):
    from prometheus_client.parser import text_string_to_metric_families

    for number in range(500):
        decision = Decision(Answer.REFUSE, "policy.none", f"step-{number}", Verdict("ehc", Outcome.REFUSED, "x"))
        one.console.counts.decided(decision)
    one.console.counts.passed(7)
    one.console.counts.passed(70_000)
    await one.ledger.append(draft())
    async with one.client() as program, program.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
    assert sum(sample.value for sample in families["scanward_decisions"].samples) == 500
    assert len(families["scanward_decisions"].samples) <= 130
    buckets = {s.labels.get("le"): s.value for s in families["scanward_scan_to_shown_seconds"].samples}
    assert (buckets["0.005"], buckets["0.01"], buckets["+Inf"]) == (0, 1, 2)
    assert families["scanward_uplink_up"].samples[0].labels == {"uplink": "http", "carrier": "http"}
    assert families["scanward_ledger_records_appended"].samples[0].value == 1
    assert families["scanward_scanner_present"].samples[0].value == 1
    assert set(families) >= {
        "process_resident_memory_bytes",
        "process_cpu_seconds",
        "scanward_build_info",
        "scanward_ledger_parked",
        "scanward_listeners",
        "scanward_loop_lag_seconds",
        "scanward_trust_freshness",
    }


async def test_a_body_that_does_not_come_does_not_hold_a_call_for_ever(one, monkeypatch):
    monkeypatch.setattr("agent.adapters.console.routes.BODY_S_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(
        f"POST /v1/links HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        assert b"408" in await reader.readuntil(b"\r\n")
    writer.close()
