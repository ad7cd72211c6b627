"""What every online verifier does: the fake of the tests, and HTTP to a real platform."""

import hashlib
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from vectors import generate

from agent.adapters.keys.verification import build_key
from agent.adapters.uplinks.http import Settings
from agent.adapters.uplinks.online import HttpOnlineVerifier
from agent.core.online import Finding, Question, read_verification
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from agent.ports import PlatformUnreachable
from fakes.ledger_parts import LabelSigner
from fakes.online_verifier import FakeVerifier
from platform_stub import keys
from platform_stub.issuing.issuer import card_of, national_dynamic_text
from platform_stub.issuing.national import NationalCodes
from platform_stub.layout import Layout
from platform_stub.platform import make_platform, running

NOW_S = generate.NOW_S
NOW = Interval(NOW_S * 1000, NOW_S * 1000 + 4_000)


@asynccontextmanager
async def fake(tmp_path, delay_s):
    number = iter(range(100))
    verifier = FakeVerifier(delay_s=delay_s)
    yield verifier, lambda: national_dynamic_text(card_of("a"), next(number).to_bytes(16))


@asynccontextmanager
async def http(tmp_path, delay_s):
    import json

    from aiohttp.test_utils import TestServer

    layout = Layout(tmp_path / "platform")
    make_platform(layout.directory, "4420", NOW_S)
    (layout.keys / "verification.pem").unlink()
    keys.write_key(layout.keys, "verification", generate.VERIFICATION)
    signer = LabelSigner()
    registration = {"terminal": "kiosk-1", "site": "demo", "kid": signer.key_id.hex(), "alg": "EdDSA"}
    registration["spki"] = generate.trust_key("x", "x", generate.TERMINAL, "EdDSA", [])["spki"]
    (layout.terminals / "kiosk-1.json").write_text(json.dumps(registration))
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(running(layout, lambda: NOW_S * 1000, issuer_delay_s=delay_s))
        server = await stack.enter_async_context(TestServer(app))
        url = f"http://127.0.0.1:{server.port}"
        verifier = await stack.enter_async_context(HttpOnlineVerifier(Settings(url=url), signer))
        yield verifier, lambda: NationalCodes(layout).mint_dynamic(card_of("a"), NOW_S)


@pytest.fixture(params=[fake, http], ids=lambda make: make.__name__)
def world(request, tmp_path):
    return lambda delay_s=0.0: request.param(tmp_path, delay_s)


@pytest.fixture
def trust(vectors):
    import json

    return Trust(parse_trust_list(json.dumps(vectors("online")["trust_list"]).encode(), build_key), None, None, None)


def question(code: str, attempt: str) -> Question:
    attempt_id = hashlib.sha256(attempt.encode()).digest()[:16]
    return Question(attempt_id, "kiosk-1", "demo", "payment", "national", code.encode(), NOW_S * 1000)


async def asked(verifier, trust, about: Question):
    answer = await verifier.verify(about, budget_s=10)
    return read_verification(answer, about.attempt_id, "kiosk-1", trust, NOW)


async def test_a_new_code_is_genuine_and_its_holders_name_masked(world, trust):
    async with world() as (verifier, mint):
        answer = await asked(verifier, trust, question(mint(), "first"))
    assert (answer.finding, answer.reason) == (Finding.GENUINE, "ok")
    assert answer.masked_name is not None


async def test_the_same_attempt_gets_the_same_answer_and_another_one_finds_the_code_used(world, trust):
    async with world() as (verifier, mint):
        code = mint()
        answers = [await asked(verifier, trust, question(code, name)) for name in ("first", "first", "second", "first")]
    assert [answer.reason for answer in answers] == ["ok", "ok", "online.used", "ok"]
    assert answers[0] == answers[1] == answers[3]


async def test_an_answer_that_comes_too_late_is_none(world, trust):
    async with world(0.4) as (verifier, mint):
        await verifier.make_ready()
        with pytest.raises(PlatformUnreachable):
            await verifier.verify(question(mint(), "first"), budget_s=0.1)
