"""Codes asked about: used once whoever races, repeated as it was said, and nothing for strangers."""

import asyncio
import hashlib
import json

import cbor2
import pytest
from aiohttp.test_utils import TestClient, TestServer
from vectors import generate

from fakes.verification_request import verification_request as request
from platform_stub import cli
from platform_stub.issuing.issuer import card_of, national_dynamic_text, national_static_text
from platform_stub.issuing.national import Finding, NationalCodes, masked_name
from platform_stub.issuing.repository import Repository, card_prefix
from platform_stub.layout import Layout
from platform_stub.platform import running
from platform_stub.wire.cose import is_signed_by, read_signed

NOW_S = generate.NOW_S
CBOR = {"Content-Type": "application/cbor"}
GENUINE, NOT_GENUINE, UNDECIDED = 0, 1, 2


async def post(platform, body, headers=CBOR):
    async with platform.client.post("/v1/codes/verify", data=body, headers=headers) as answer:
        return answer.status, await answer.read()


async def ask(platform, terminal, code, attempt="first"):
    """Ask; return (finding, reason, name), having checked signature, attempt and audience."""
    status, answer = await post(platform, request(terminal, code, attempt))
    assert status == 200, answer
    signed = read_signed(answer)
    assert is_signed_by(generate.VERIFICATION.public_key(), "scanward-verification-1", signed)
    fields = cbor2.loads(signed.payload)
    assert fields[1] == hashlib.sha256(attempt.encode()).digest()[:16]
    assert (fields[2], fields[5]) == (terminal.id, platform.clock_s[0] * 1000)
    return fields[3], fields[4], fields.get(6)


@pytest.fixture
def codes(platform_directory):
    return NationalCodes(Layout(platform_directory))


@pytest.fixture
def other(make_terminal):
    return make_terminal("kiosk-2", label="another terminal")


async def test_a_token_is_genuine_once(run_platform, terminal, codes):
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform(terminal) as platform:
        assert await ask(platform, terminal, code) == (GENUINE, "ok", masked_name(card_of("a")))
        assert await ask(platform, terminal, code, "second") == (NOT_GENUINE, "online.used", None)


async def test_the_same_attempt_gets_the_same_answer_after_expiry_and_restart_but_not_for_ever(
    run_platform, terminal, codes
):
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform(terminal) as platform:
        first = await ask(platform, terminal, code)
        platform.clock_s[0] += 3_600
        assert await ask(platform, terminal, code.lower()) == first
    async with run_platform(terminal) as platform:
        assert await ask(platform, terminal, code) == first
        platform.clock_s[0] += 86_401
        assert await ask(platform, terminal, code) == (NOT_GENUINE, "online.expired", None)


async def test_of_terminals_that_race_one_gets_the_code(run_platform, terminal, other, codes):
    async with run_platform(terminal, other) as platform:
        for number in range(10):
            code = codes.mint_dynamic(card_of("a"), NOW_S)
            asked = [ask(platform, t, code, f"{t.id} {number}") for t in (terminal, other) for _ in range(3)]
            answers = await asyncio.gather(*asked)
            by_terminal = [{reason for _, reason, _ in answers[:3]}, {reason for _, reason, _ in answers[3:]}]
            assert sorted(by_terminal, key=str) == [{"ok"}, {"online.used"}]


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("known card", lambda c: c.mint_static(card_of("a")), (GENUINE, "ok")),
        ("unknown card", lambda c: national_static_text(card_of("a")), (NOT_GENUINE, "online.unknown-card")),
        ("bare card", lambda c: card_of("a").hex(), (NOT_GENUINE, "online.unknown-card")),
        ("with an issuer", lambda c: c.mint_static(card_of("a")) + "::5101", (GENUINE, "ok")),
        ("random token", lambda c: national_dynamic_text(card_of("a")), (NOT_GENUINE, "online.unknown-token")),
        ("expired", lambda c: c.mint_dynamic(card_of("a"), NOW_S - 61), (NOT_GENUINE, "online.expired")),
        ("last second", lambda c: c.mint_dynamic(card_of("a"), NOW_S - 60), (GENUINE, "ok")),
        (
            "token of another card",
            lambda c: card_of("b").hex().upper() + c.mint_dynamic(card_of("a"), NOW_S)[64:],
            (NOT_GENUINE, "online.unknown-token"),
        ),
        ("not a national code", lambda c: "EHC1:ABC", (UNDECIDED, "online.not-ours")),
        ("static with a token", lambda c: national_static_text(card_of("a")) + ":00", (UNDECIDED, "online.not-ours")),
    ],
)
async def test_what_the_platform_says_of_a_code(run_platform, terminal, codes, name, make, said):
    code = make(codes)
    async with run_platform(terminal) as platform:
        assert (await ask(platform, terminal, code))[:2] == said


async def test_a_revoked_card_is_not_genuine(run_platform, terminal, codes):
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform(terminal) as platform:
        Repository(platform.layout).revoke(card_prefix(card_of("a")), NOW_S)
        assert await ask(platform, terminal, code) == (NOT_GENUINE, "online.revoked", None)


async def test_one_attempt_about_two_codes_is_refused(run_platform, terminal, codes):
    first, second = (codes.mint_dynamic(card_of("a"), NOW_S) for _ in range(2))
    async with run_platform(terminal) as platform:
        await ask(platform, terminal, first)
        status, body = await post(platform, request(terminal, second))
        assert (status, b"online.other-code" in body) == (409, True)
        await asyncio.gather(*(post(platform, request(terminal, code, "race")) for code in (first, second) * 3))
        assert (await ask(platform, terminal, second, "later"))[0] in {GENUINE, NOT_GENUINE}, "the platform goes on"


@pytest.mark.parametrize(
    ("name", "status", "make"),
    [
        ("a stranger", 401, lambda t, o, code: request(o, code)),
        ("another's name", 401, lambda t, o, code: request(o, code, f2=t.id)),
        ("another site", 409, lambda t, o, code: request(t, code, f3="elsewhere")),
        ("a field that does not fit", 400, lambda t, o, code: request(t, code, f7=-1)),
        ("no step", 400, lambda t, o, code: request(t, code, f4="")),
        ("a code that is too long", 400, lambda t, o, code: request(t, "x" * 1_025)),
        ("a field too many", 400, lambda t, o, code: request(t, code, f8=1)),
        ("signed as a head", 401, lambda t, o, code: generate.cose_sign1(
            t.key, "scanward-head-1", cbor2.loads(request(t, code)).value[2])),
        ("noise", 400, lambda t, o, code: b"noise"),
        ("nothing", 400, lambda t, o, code: b""),
        ("too much", 413, lambda t, o, code: bytes(5_000)),
    ],
)  # fmt: skip
async def test_whoever_may_not_ask_is_told_so_and_uses_nothing_up(
    run_platform, terminal, other, codes, name, status, make
):
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform(terminal) as platform:
        answer = await post(platform, make(terminal, other, code))
        assert answer[0] == status
        assert code.encode()[:16] not in answer[1]
        assert (await ask(platform, terminal, code))[1] == "ok"


async def test_a_message_of_another_type_is_refused(run_platform, terminal):
    async with run_platform(terminal) as platform:
        assert (await post(platform, b"{}", {"Content-Type": "application/json"}))[0] == 415


async def test_whoever_only_holds_a_connection_ready_is_answered(run_platform):
    async with run_platform() as platform, platform.client.get("/v1/codes/verify") as answer:
        assert answer.status == 204


async def test_a_terminal_registered_while_running_may_ask_at_once(run_platform, terminal, codes):
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform() as platform:
        platform.register(terminal)
        assert (await ask(platform, terminal, code))[1] == "ok"


async def test_an_issuer_that_does_not_answer_leaves_the_code_unused(platform_directory, terminal, codes, monkeypatch):
    monkeypatch.setattr("platform_stub.online.ISSUER_PATIENCE_S", 0.01)
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    layout = Layout(platform_directory)
    for delay_s, said in ((5.0, b"online.issuer-silent"), (0.005, b"ok")):
        async with (
            running(layout, lambda: NOW_S * 1000, issuer_delay_s=delay_s) as app,
            TestClient(TestServer(app)) as client,
        ):
            (layout.terminals / "kiosk-1.json").write_text(json.dumps(terminal.registration()))
            async with client.post("/v1/codes/verify", data=request(terminal, code), headers=CBOR) as answer:
                assert said in await answer.read()


async def test_the_record_of_an_attempt_is_taken_in_and_uses_nothing_up(run_platform, terminal, vectors):
    online = vectors("online")
    terminal.add_raw(bytes.fromhex(online["attempt_record"]))
    terminal.add_raw(bytes.fromhex(online["decision_record"]))
    async with run_platform(terminal) as platform:
        said, _ = await platform.send(terminal, terminal.batch())
        assert said == {1: (0, "ok"), 2: (0, "ok")}
        async with platform.client.get("/") as answer:
            assert "verified online" in await answer.text()


async def test_nothing_of_a_code_is_stored_or_logged(run_platform, terminal, codes, caplog):
    caplog.set_level(0)
    code = codes.mint_dynamic(card_of("a"), NOW_S)
    async with run_platform(terminal) as platform:
        await ask(platform, terminal, code)
        await ask(platform, terminal, code, "second")
    directory = platform.layout.directory
    kept = b"".join(path.read_bytes() for path in directory.glob("*") if path.is_file())
    for text in (code[:64], code[67:], masked_name(card_of("a"))):
        assert text not in caplog.text
        assert text.encode() not in kept
    assert card_of("a") not in kept
    assert bytes.fromhex(code[67:]) not in kept


def test_a_directory_made_before_there_was_a_verification_key_gets_one(platform_directory):
    layout = Layout(platform_directory)
    (layout.keys / "verification.pem").unlink()

    async def run():
        async with running(layout, lambda: NOW_S * 1000):
            pass

    asyncio.run(run())
    assert (layout.keys / "verification.pem").stat().st_mode & 0o777 == 0o600
    lists = layout.repository.glob("targets/*.trust-list.json")
    newest = max(lists, key=lambda path: json.loads(path.read_text())["version"])
    assert '"verification"' in newest.read_text()


def test_mint_makes_tokens_that_this_platform_knows_again(platform_directory, capsys):
    for type_ in ("static", "dynamic"):
        arguments = ["mint", "--dir", str(platform_directory), "--national", "--type", type_, "--person", "a"]
        assert cli.main([*arguments, "--at", str(NOW_S)]) == 0
        text = capsys.readouterr().out.strip()
        judged = NationalCodes(Layout(platform_directory)).judge(text.encode(), NOW_S)
        assert (judged.finding, judged.reason) == (Finding.GENUINE, "ok")
    assert (platform_directory / "keys" / "national.key").stat().st_mode & 0o777 == 0o600
    assert cli.main([*arguments, "--life", "121"]) == 2
    assert "120" in capsys.readouterr().err


@pytest.mark.parametrize("delay", ["-1", "61", "nan", "soon"])
def test_an_absurd_delay_of_the_issuer_is_refused(tmp_path, capsys, delay):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["run", str(tmp_path / "p"), f"--issuer-delay={delay}"])
    assert "0 to 60 seconds" in capsys.readouterr().err


def test_a_masked_name_has_one_or_two_stars_behind_one_character():
    names = {masked_name(card_of(str(number))) for number in range(200)}
    assert {len(name) for name in names} == {2, 3}
    assert all(name[0] != "*" and set(name[1:]) == {"*"} for name in names)


@pytest.mark.parametrize("family", ["insurance", "resident-id", "hospital-card", "e-prescription"])
async def test_of_a_family_that_is_not_its_own_the_platform_cannot_say(run_platform, terminal, codes, family):
    static = codes.mint_static(card_of("a"))
    async with run_platform(terminal) as platform:
        for number, code in enumerate((static, "an invented code")):
            status, answer = await post(platform, request(terminal, code, f"attempt {number}", f5=family))
            assert status == 200
            fields = cbor2.loads(read_signed(answer).payload)
            assert (fields[3], fields[4], fields.get(6)) == (UNDECIDED, "online.not-ours", None)
