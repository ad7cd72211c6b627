"""Who is calling: the program's token, sessions of kiosk and staff pages, one-time links, the staff's PIN.

The law: whoever cannot be told has no role; no secret is kept, only its hash; everything is counted, bounded and runs
out. What a role may do stands beside each route. Kiosk sessions outlive the agent, so that a screen in a hall does not
go dark with a restart; staff sign in again.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from agent.adapters.console.secret_files import PIN_CHARS_MAX, PinHash
from agent.core.requests import Role, elapsed_ms
from agent.core.time_interval import Interval, Stamp
from agent.ports import Clock, LedgerFull, NamedValues, Randomness

log = logging.getLogger(__name__)

COOKIE = "scanward-session"
KEY_BYTES = 32
KEY_CHARS_MAX = 64
LINKS_MAX = 16  # waiting at once; the oldest gives way
SESSIONS_MAX = 16  # of each role; the one longest unused gives way
KIOSK_IDLE_S = 30 * 86_400.0
KIOSK_NOTED_S = 86_400.0  # how exactly a kiosk session's last use is kept on disk
TRIES_MAX = 5  # wrong PINs in a row before a pause
PAUSE_S_FIRST = 60.0  # it doubles with each further one
PAUSE_S_MAX = 3_600.0
_VALUE = "console.kiosk-sessions"


class TooManyTries(Exception):
    """No PIN is looked at for a while."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(slots=True)
class Session:
    """One browser. was_kiosk: it is a kiosk's screen again when the staff session is over."""

    role: Role
    used: Stamp
    was_kiosk: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. session: the hash of the session's key; None for a program, or nobody."""

    role: Role | None
    session: bytes | None = None
    is_browser: bool = False  # it sent a cookie, ours or not: other pages may have made it call


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    session: str
    boot_id: str
    raw_ms: int
    earliest_ms: int
    latest_ms: int | None
    source: str


class Entrance:
    """Tells callers by token and cookie, and lets them in. link_s, staff_idle_s: seconds."""

    def __init__(
        self,
        *,
        token: str,
        pin: PinHash | None,
        link_s: float,
        staff_idle_s: float,
        values: NamedValues,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._token = _hash(token)
        self._pin = pin
        self._link_s = link_s
        self._idle_s = {Role.STAFF: staff_idle_s, Role.KIOSK: KIOSK_IDLE_S}
        self._values = values
        self._clock = clock
        self._randomness = randomness
        self._sessions = dict[bytes, Session]()
        self._links = dict[bytes, tuple[Role, Stamp]]()
        self._failures = 0
        self._paused_until_ms = 0  # by the raw clock
        self._one_pin = asyncio.Semaphore(1)  # a hash takes 16 MB

    @property
    def has_pin(self) -> bool:
        """Say whether staff can sign in with a PIN."""
        return self._pin is not None

    async def restore(self) -> None:
        """Take up the kiosk sessions of earlier runs."""
        data = await self._values.get(_VALUE)
        try:
            kept = msgspec.json.decode(data or b"[]", type=list[_Kept])
            for one in kept[:SESSIONS_MAX]:
                used = Stamp(
                    bytes.fromhex(one.boot_id), one.raw_ms, Interval(one.earliest_ms, one.latest_ms), one.source
                )
                self._sessions[bytes.fromhex(one.session)] = Session(Role.KIOSK, used)
        except (msgspec.MsgspecError, ValueError):
            log.warning("the kiosk sessions of earlier runs cannot be read: kiosks need a new link")

    def caller(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Caller:
        """Tell who calls. A token that is wrong is nobody, whatever cookie comes with it."""
        is_browser = COOKIE in cookies
        if (said := headers.get("Authorization")) is not None:
            kind, _, token = said.partition(" ")
            is_program = kind.lower() == "bearer" and hmac.compare_digest(_hash(token.strip()), self._token)
            return Caller(Role.PROGRAM if is_program else None, is_browser=is_browser)
        key = cookies.get(COOKIE, "")
        session = _hash(key)
        role = self.role_of(session) if 0 < len(key) <= KEY_CHARS_MAX else None
        return Caller(role, session if role is not None else None, is_browser=is_browser)

    def role_of(self, session: bytes) -> Role | None:
        """Return a session's role now; an idle staff session is a kiosk's again, or over."""
        found = self._sessions.get(session)
        if found is None:
            return None
        idle_ms = elapsed_ms(found.used, self._clock.now())
        if idle_ms is not None and idle_ms >= 1000 * self._idle_s[found.role]:
            self._leave(session, found)
            found = self._sessions.get(session)
        return None if found is None else found.role

    async def used(self, session: bytes) -> None:
        """Take note that a person used a session."""
        found = self._sessions.get(session)
        if found is None:
            return
        now = self._clock.now()
        is_noted = (elapsed_ms(found.used, now) or 0) < 1000 * KIOSK_NOTED_S
        found.used = now
        if found.role is Role.KIOSK and not is_noted:
            await self._keep()

    def link(self, role: Role) -> str:
        """Return the key of a new one-time link."""
        key = self._new_key()
        while len(self._links) >= LINKS_MAX:
            del self._links[next(iter(self._links))]
        self._links[_hash(key)] = (role, self._clock.now())
        return key

    async def enter(self, key: str) -> tuple[Role, str] | None:
        """Use a link up; return its role and the new session's key; None where it is unknown, used or too old."""
        found = self._links.pop(_hash(key), None) if len(key) <= KEY_CHARS_MAX else None
        if found is None:
            return None
        role, made = found
        age_ms = elapsed_ms(made, self._clock.now())
        if age_ms is None or age_ms >= 1000 * self._link_s:
            return None
        return role, await self._begin(role)

    async def sign_in(self, pin: str, caller: Caller) -> str | None:
        """Return the key of a new staff session; None for a wrong PIN. Raises TooManyTries."""
        now_ms = self._clock.now().raw_ms
        if now_ms < self._paused_until_ms:
            raise TooManyTries(-(-(self._paused_until_ms - now_ms) // 1000))
        # Counted before it is looked at: a hundred tries at once are a hundred tries.
        self._failures += 1
        if self._failures >= TRIES_MAX:
            pause_s = min(PAUSE_S_FIRST * 2.0 ** min(self._failures - TRIES_MAX, 16), PAUSE_S_MAX)
            self._paused_until_ms = now_ms + int(1000 * pause_s)
            log.warning("too many wrong PINs", extra={"in_a_row": self._failures, "pause_s": pause_s})
        async with self._one_pin:
            is_right = len(pin) <= PIN_CHARS_MAX and self._pin is not None
            is_right = is_right and self._pin is not None and await asyncio.to_thread(self._pin.matches, pin)
        if not is_right:
            return None
        self._failures, self._paused_until_ms = 0, 0
        # The session before ends last: a page that leaves meanwhile has no other, and a kiosk would stay dark.
        before = self._sessions.get(caller.session) if caller.session is not None else None
        key = await self._begin(Role.STAFF, was_kiosk=before is not None and (before.was_kiosk or _is_kiosk(before)))
        if caller.session is not None:
            self._sessions.pop(caller.session, None)
        return key

    async def sign_out(self, session: bytes) -> str | None:
        """End a staff session; return the key of the kiosk session that it was before, if it was one."""
        found = self._sessions.get(session)
        if found is None:
            return None
        self._leave(session, found)  # at once; where it was a kiosk's, it is that until the page has a new key
        if not (found.was_kiosk or _is_kiosk(found)):
            return None
        key = await self._begin(Role.KIOSK)
        self._sessions.pop(session, None)
        return key

    async def _begin(self, role: Role, *, was_kiosk: bool = False) -> str:
        key = self._new_key()
        same = [(s.used.raw_ms, session) for session, s in self._sessions.items() if s.role is role]
        for _, oldest in sorted(same)[: max(0, len(same) - SESSIONS_MAX + 1)]:
            del self._sessions[oldest]
        self._sessions[_hash(key)] = Session(role, self._clock.now(), was_kiosk)
        if was_kiosk or role is Role.KIOSK:
            await self._keep()
        return key

    def _leave(self, session: bytes, found: Session) -> None:
        if found.was_kiosk:
            self._sessions[session] = Session(Role.KIOSK, self._clock.now())
        else:
            del self._sessions[session]

    async def _keep(self) -> None:
        kept = [
            _Kept(session.hex(), s.used.boot_id.hex(), s.used.raw_ms, s.used.now.earliest_ms, s.used.now.latest_ms,
                  s.used.source)
            for session, s in self._sessions.items()
            if s.was_kiosk or _is_kiosk(s)
        ]  # fmt: skip
        try:
            await self._values.set(_VALUE, msgspec.json.encode(kept[-SESSIONS_MAX:]))
        except LedgerFull:
            log.warning("storage is full: kiosks will need a new link after the next start")

    def _new_key(self) -> str:
        return self._randomness.bytes(KEY_BYTES).hex()


def _is_kiosk(session: Session) -> bool:
    return session.role is Role.KIOSK


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
