"""A package is taken once by a step: through the checkpoint, the real ledger, and a restart."""

import dataclasses
import hashlib

import cbor2
import pytest

from agent.adapters.console.texts import text_for
from agent.adapters.ledger.owner import InlineLedger
from agent.core.decision import Answer, History
from agent.core.steps import parse_policy
from fakes.gs1_issuer import GS, GTIN, OTHER_GTIN
from fakes.ledger_parts import open_ledger
from fakes.world import FixedTrust, scan_of

POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 1
[steps.receiving]
provisional = ["gs1.any", "drug-trace.any", "udi-ma.any"]
[steps.dispensing]
provisional = ["gs1.any", "drug-trace.any", "udi-ma.any"]
confirm = "pharmacist"
""")
TRACE = "81000010000000000017"
DEVICE = "MA.156.M0.199999.1335176X.S0001"
PACKAGE = f"01{GTIN}17281130{'10L26'}{GS}21S0001"
SAME = [f"(21)S0001(01){GTIN}", f"https://shop.example/01/{GTIN}/10/L27/21/S0001", f"]d201{GTIN}21S0001"]


@pytest.fixture
def pharmacy(terminal, trust):
    terminal.trust_store = FixedTrust(dataclasses.replace(trust, policy=POLICY))
    return terminal


async def said(terminal, text, step="dispensing"):
    await terminal.checkpoint().check(scan_of(text), step)
    decision, _ = terminal.display.shown[-1]
    return decision.answer, decision.reason


async def bodies(terminal):
    stored = await terminal.ledger.read(0, records_max=200, bytes_max=10**7)
    return [cbor2.loads(cbor2.loads(record.envelope).value[2]) for record in stored]


@pytest.mark.parametrize("text", [TRACE, DEVICE, PACKAGE])
async def test_a_package_is_taken_once_by_a_step_also_after_a_restart(pharmacy, tmp_path, text):
    path = tmp_path / "pharmacy.sqlite"
    async with InlineLedger(open_ledger(path, uplinks=("http",))) as pharmacy.ledger:
        assert await said(pharmacy, text, "receiving") == (Answer.PROVISIONAL, "family.no-offline-proof")
        assert await said(pharmacy, text) == (Answer.ASK, "family.no-offline-proof")
        assert await said(pharmacy, text) == (Answer.REFUSE, "replay.item")
    async with InlineLedger(open_ledger(path, uplinks=("http",))) as pharmacy.ledger:
        pharmacy.history = await pharmacy.ledger.history(pharmacy.clock.now().now)
        assert await said(pharmacy, text) == (Answer.REFUSE, "replay.item")
        assert await said(pharmacy, text, "receiving") == (Answer.REFUSE, "replay.item")
        claimed = {body[18] for body in await bodies(pharmacy) if 18 in body}
    item = pharmacy.display.shown[0][0].verdict.claims.item.encode()
    steps = (b"\x09receiving", b"\x0adispensing")
    assert claimed == {hashlib.sha256(b"scanward-item-1" + step + item).digest()[:16] for step in steps}


async def test_the_history_rebuilt_from_the_ledger_refuses_the_package(pharmacy):
    await said(pharmacy, PACKAGE)
    pharmacy.history = await pharmacy.ledger.history(pharmacy.clock.now().now)
    assert await said(pharmacy, PACKAGE) == (Answer.REFUSE, "replay.item")


async def test_a_package_the_ledger_knows_and_memory_does_not_is_refused(pharmacy):
    await said(pharmacy, TRACE)
    pharmacy.history = History()
    assert await said(pharmacy, TRACE) == (Answer.REFUSE, "replay.item")


@pytest.mark.parametrize("text", SAME)
async def test_another_shape_of_the_same_package_is_the_same_package(pharmacy, text):
    await said(pharmacy, PACKAGE)
    assert await said(pharmacy, text) == (Answer.REFUSE, "replay.item")


async def test_what_is_many_is_taken_as_often_as_it_is_scanned(pharmacy):
    for _ in range(3):
        assert await said(pharmacy, f"01{OTHER_GTIN}10L26") == (Answer.ASK, "family.no-offline-proof")
    assert {body.get(18) for body in await bodies(pharmacy)} <= {None}


async def test_the_record_holds_the_item_in_clear_and_the_claim(pharmacy):
    await said(pharmacy, PACKAGE)
    await said(pharmacy, PACKAGE)
    first, second = [body for body in await bodies(pharmacy) if body[5] == 0]
    assert (first[15], first[22], first[12]) == ("gs1", [f"(01){GTIN}(21)S0001"], "family.no-offline-proof")
    assert len(first[18]) == 16
    assert 18 not in second
    assert (second[22], second[12]) == (first[22], "replay.item")
    assert b"L26" not in cbor2.dumps(first), "what else the code says is sealed"


async def test_an_expired_package_is_refused_and_its_record_names_it(pharmacy):
    assert await said(pharmacy, f"01{GTIN}17260101{'21S9'}") == (Answer.REFUSE, "time.item-expired")
    (body,) = [body for body in await bodies(pharmacy) if body[5] == 0]
    assert body[22] == [f"(01){GTIN}(21)S9"]
    assert 18 not in body
    decision, _ = pharmacy.display.shown[-1]
    assert "refresh" not in text_for(decision)["en"]


async def test_a_person_reads_about_the_package_not_about_a_phone(pharmacy):
    await said(pharmacy, TRACE)
    await said(pharmacy, TRACE)
    texts = text_for(pharmacy.display.shown[-1][0])
    assert "package" in texts["next_en"]
    assert "刷新" not in texts["zh"]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)", "';DROP--", '"onload="x', "%1b%5b31m", "http://x.example/a"[:20], "&lt;b&gt;"]
)
async def test_hostile_values_are_data_and_stand_in_no_text_for_people(pharmacy, hostile, caplog):
    answer, reason = await said(pharmacy, f"01{GTIN}21{hostile}")
    decision, _ = pharmacy.display.shown[-1]
    assert (answer, reason) == (Answer.ASK, "family.no-offline-proof")
    assert decision.verdict.claims.item == f"(01){GTIN}(21){hostile}"
    assert hostile not in str(text_for(decision))
    assert hostile not in caplog.text
