"""Who is calling: token, sessions, links and PIN on virtual time; and the files their secrets are in."""

import asyncio

import pytest

from agent.adapters.console.roles import (
    COOKIE,
    KIOSK_IDLE_S,
    LINKS_MAX,
    PAUSE_S_MAX,
    SESSIONS_MAX,
    TRIES_MAX,
    Caller,
    TooManyTries,
)
from agent.adapters.console.secret_files import hash_pin, load_or_create_token, load_pin, load_token
from agent.core.requests import Role
from agent.ports import LedgerFull, SecretUnusable
from fakes.console_parts import PIN, TOKEN, FakeValues, entrance_of, quick_pin
from fakes.ledger_parts import CountedRandomness
from fakes.world import FakeClock

pytestmark = pytest.mark.looptime


def by_cookie(entrance, key: str) -> Caller:
    return entrance.caller({}, {COOKIE: key})


async def entered(entrance, role: Role) -> str:
    found, key = await entrance.enter(entrance.link(role))
    assert found is role
    return key


async def test_the_token_makes_a_program_and_nothing_else_does():
    entrance = entrance_of(FakeClock())
    for said in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        assert entrance.caller({"Authorization": said}, {}).role is Role.PROGRAM
    for said in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \udc80", TOKEN):
        assert entrance.caller({"Authorization": said}, {}).role is None
    key = await entered(entrance, Role.STAFF)
    assert entrance.caller({"Authorization": "Bearer wrong"}, {COOKIE: key}).role is None, "a cookie does not mend it"


async def test_a_link_works_once_and_not_for_long():
    entrance = entrance_of(FakeClock())
    key = entrance.link(Role.STAFF)
    role, session = await entrance.enter(key)
    assert role is Role.STAFF
    assert by_cookie(entrance, session).role is Role.STAFF
    assert await entrance.enter(key) is None
    late = entrance.link(Role.KIOSK)
    await asyncio.sleep(301)
    assert await entrance.enter(late) is None
    assert [await entrance.enter(garbage) for garbage in ("", "x", "x" * 100_000, "\udc80")] == [None] * 4


async def test_links_and_sessions_are_bounded_and_the_newest_get_in():
    entrance = entrance_of(FakeClock())
    links = [entrance.link(Role.KIOSK) for _ in range(LINKS_MAX + 1)]
    assert await entrance.enter(links[0]) is None
    assert await entrance.enter(links[-1]) is not None
    keys = []
    for _ in range(SESSIONS_MAX + 4):
        keys.append(await entered(entrance, Role.STAFF))
        await asyncio.sleep(1)
    roles = [by_cookie(entrance, key).role for key in keys]
    assert roles == [None] * 4 + [Role.STAFF] * SESSIONS_MAX


async def test_a_staff_session_ends_when_nobody_used_it_for_ten_minutes():
    entrance = entrance_of(FakeClock())
    key = await entered(entrance, Role.STAFF)
    await asyncio.sleep(599)
    caller = by_cookie(entrance, key)
    await entrance.used(caller.session)
    await asyncio.sleep(599)
    assert by_cookie(entrance, key).role is Role.STAFF
    await asyncio.sleep(2)
    assert by_cookie(entrance, key).role is None
    assert entrance.role_of(caller.session) is None


async def test_a_kiosk_session_outlives_the_agent_and_ends_after_thirty_days():
    values, clock = FakeValues(), FakeClock()
    first = entrance_of(clock, values)
    key, staff = await entered(first, Role.KIOSK), await entered(first, Role.STAFF)
    second = entrance_of(clock, values)
    await second.restore()
    assert by_cookie(second, key).role is Role.KIOSK
    assert by_cookie(second, staff).role is None, "staff sign in again"
    assert key.encode() not in values.kept["console.kiosk-sessions"]
    await asyncio.sleep(KIOSK_IDLE_S - 60)
    await second.used(by_cookie(second, key).session)
    third = entrance_of(clock, values)
    await third.restore()
    await asyncio.sleep(KIOSK_IDLE_S - 60)
    assert by_cookie(third, key).role is Role.KIOSK
    await asyncio.sleep(120)
    assert by_cookie(third, key).role is None


@pytest.mark.parametrize("data", [b"", b"{", b"[[1]]", b'[["zz","",0,0,null,"os"]]'])
async def test_kept_sessions_that_cannot_be_read_do_not_keep_the_agent_from_starting(data):
    values = FakeValues()
    values.kept["console.kiosk-sessions"] = data
    await entrance_of(FakeClock(), values).restore()


async def test_a_kiosk_gets_in_although_storage_is_full():
    class Full(FakeValues):
        async def set(self, name: str, value: bytes) -> None:
            raise LedgerFull("no space")

    entrance = entrance_of(FakeClock(), Full())
    assert by_cookie(entrance, await entered(entrance, Role.KIOSK)).role is Role.KIOSK


async def test_staff_sign_in_with_the_pin_and_a_kiosk_is_a_kiosk_again_afterwards():
    values = FakeValues()
    entrance = entrance_of(FakeClock(), values, pin=quick_pin())
    kiosk = await entered(entrance, Role.KIOSK)
    key = await entrance.sign_in(PIN, by_cookie(entrance, kiosk))
    assert by_cookie(entrance, key).role is Role.STAFF
    assert by_cookie(entrance, kiosk).role is None, "the key has changed with the role"
    after = entrance_of(FakeClock(), values)
    await after.restore()
    assert by_cookie(after, key).role is Role.KIOSK, "staff sign in again after a restart; the screen stays a screen"
    back = await entrance.sign_out(by_cookie(entrance, key).session)
    assert by_cookie(entrance, back).role is Role.KIOSK
    assert by_cookie(entrance, key).role is None


async def test_a_page_that_leaves_in_the_middle_of_signing_in_or_out_is_still_a_kiosk():
    """Its cookie is the one it had: were that worth nothing, the screen in the hall would need a new link."""

    class Slow(FakeValues):
        is_slow = False

        async def set(self, name: str, value: bytes) -> None:
            await asyncio.sleep(60 if self.is_slow else 0)
            await super().set(name, value)

    values = Slow()
    entrance = entrance_of(FakeClock(), values, pin=quick_pin())
    kiosk = await entered(entrance, Role.KIOSK)
    values.is_slow = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(entrance.sign_in(PIN, by_cookie(entrance, kiosk)), 10)
    assert by_cookie(entrance, kiosk).role is Role.KIOSK
    values.is_slow = False
    staff = await entrance.sign_in(PIN, by_cookie(entrance, kiosk))
    values.is_slow = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(entrance.sign_out(by_cookie(entrance, staff).session), 10)
    assert by_cookie(entrance, staff).role is Role.KIOSK, "signed out all the same"


async def test_an_idle_staff_session_on_a_kiosk_becomes_the_kiosk_again():
    entrance = entrance_of(FakeClock(), pin=quick_pin())
    key = await entrance.sign_in(PIN, by_cookie(entrance, await entered(entrance, Role.KIOSK)))
    await asyncio.sleep(601)
    assert by_cookie(entrance, key).role is Role.KIOSK


async def test_staff_who_came_from_nowhere_leave_nothing_behind():
    entrance = entrance_of(FakeClock(), pin=quick_pin())
    key = await entrance.sign_in(PIN, Caller(None))
    assert await entrance.sign_out(by_cookie(entrance, key).session) is None
    assert by_cookie(entrance, key).role is None


async def test_guessing_pins_gets_slower_and_slower():
    entrance = entrance_of(FakeClock(), pin=quick_pin())
    nobody, waits, guesses = Caller(None), [], 0
    while len(waits) < 9:
        try:
            assert await entrance.sign_in("000000", nobody) is None
            guesses += 1
        except TooManyTries as error:
            waits.append(error.wait_s)
            await asyncio.sleep(error.wait_s)
    assert waits[:4] == [60, 120, 240, 480]
    assert max(waits) == PAUSE_S_MAX
    assert guesses == TRIES_MAX + 8
    assert await entrance.sign_in("000000", nobody) is None
    with pytest.raises(TooManyTries):
        await entrance.sign_in(PIN, nobody)
    await asyncio.sleep(PAUSE_S_MAX)
    assert await entrance.sign_in(PIN, nobody) is not None
    assert await entrance.sign_in("000000", nobody) is None, "the right one starts the count anew"


async def test_a_hundred_guesses_at_once_are_a_hundred_guesses():
    entrance = entrance_of(FakeClock(), pin=quick_pin())
    answers = await asyncio.gather(
        *(entrance.sign_in("000000", Caller(None)) for _ in range(100)), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == TRIES_MAX
    assert sum(isinstance(answer, TooManyTries) for answer in answers) == 100 - TRIES_MAX


def test_a_pin_is_known_by_its_hash_and_by_nothing_else(tmp_path):
    kept = hash_pin(PIN, CountedRandomness())
    file = tmp_path / "pin"
    file.write_text(kept.line + "\n")
    file.chmod(0o600)
    assert PIN not in kept.line
    assert PIN not in repr(kept)
    assert load_pin(file).matches(PIN)
    assert not load_pin(file).matches(PIN + "0")
    for pin in ("", "12345", "1" * 65):
        with pytest.raises(ValueError, match="6 to 64"):
            hash_pin(pin, CountedRandomness())


@pytest.mark.parametrize(
    "content",
    ["", "493817", "scrypt:14:8:1:AAAA:BBBB", "scrypt:31:8:1:" + "A" * 24 + ":" + "B" * 44, "x" * 5_000, "\xff"],
)
def test_a_pin_file_that_holds_none_says_what_to_do_and_not_what_it_holds(tmp_path, content):
    file = tmp_path / "pin"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(SecretUnusable, match="scanward console pin") as refused:
        load_pin(file)
    assert "493817" not in str(refused.value)


def test_the_token_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "console-token"
    token = load_or_create_token(path, CountedRandomness("a"))
    assert len(token) == 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_token(path, CountedRandomness("b")) == token == load_token(path)
    assert [p.name for p in tmp_path.iterdir()] == ["console-token"]


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [("t" * 43, 0o644, "chmod 600"), ("short", 0o600, "holds no token"), ("a b" * 20, 0o600, "holds no token"),
     ("t" * 2_000, 0o600, "holds no token")],
)  # fmt: skip
def test_a_token_file_that_cannot_be_used_says_why(tmp_path, content, mode, says):
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(SecretUnusable, match=says):
        load_token(path)
    with pytest.raises(SecretUnusable, match="cannot be read"):
        load_token(tmp_path / "nowhere")
