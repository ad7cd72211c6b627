"""POST /v1/codes/verify (online.cddl): asks the issuer, here national.py, about one code, and signs what it says.

The law: a token is used up by one attempt of one terminal, in one commit with the answer; that attempt, asked again,
gets the same answer for a day. Nothing of a code or a person is stored in clear, logged, or repeated in an error.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub.issuing.national import Finding, Judgement, NationalCodes, masked_name
from platform_stub.speakers import Speakers
from platform_stub.storage import statements
from platform_stub.storage.database import Database, Transaction
from platform_stub.web.bodies import CBOR, read_body
from platform_stub.web.problem import Problem
from platform_stub.wire import cbor, cose
from platform_stub.wire.fields import MILLISECONDS, SITE_ID, TERMINAL_ID, Check, octets, text
from platform_stub.wire.message import MessageInvalid, read_signed_fields

PATH = "/v1/codes/verify"
VERIFY_AAD = "scanward-verify-1"
VERIFICATION_AAD = "scanward-verification-1"
REQUEST_BYTES_MAX = 2_048
ISSUER_PATIENCE_S = 1.0  # a terminal has 1.5 s in all: beyond this the platform says that it cannot say
REPEATED_FOR_MS = 86_400_000
_FAMILY = "national"  # what this platform can settle; of a voucher, an id, a card it cannot say
_NOT_OURS = Judgement(Finding.UNDECIDED, "online.not-ours")
_OTHER_CODE = Judgement(Finding.UNDECIDED, "online.other-code")
_FIELDS: dict[int, Check] = {
    1: octets(16),
    2: TERMINAL_ID,
    3: SITE_ID,
    4: text(r"[a-z][a-z0-9-]{0,31}"),
    5: text(r"[a-z0-9-]{1,16}"),
    6: octets(1, 1024),
    7: MILLISECONDS,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A verification-request, read and not yet believed."""

    signed: cose.Signed
    attempt_id: bytes
    terminal: str
    site: str
    family: str
    code: bytes = field(repr=False)


class OnlineCodes:
    """The route and what it needs. issuer_delay_s: how long the issuer takes to answer (0 but in a demonstration)."""

    def __init__(
        self,
        database: Database,
        speakers: Speakers,
        codes: NationalCodes,
        key: ed25519.Ed25519PrivateKey,
        now_ms: Callable[[], int],
        issuer_delay_s: float = 0.0,
    ) -> None:
        self._database = database
        self._speakers = speakers
        self._codes = codes
        self._key = key
        self._now_ms = now_ms
        self._issuer_delay_s = issuer_delay_s

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.post(PATH, self._verify), web.get(PATH, _ready)]

    async def _verify(self, request: web.Request) -> web.Response:
        try:
            asked = read_request(await read_body(request, REQUEST_BYTES_MAX))
        except MessageInvalid as error:
            raise Problem(400, "message.malformed", str(error)) from error
        terminal = await self._speakers.who_signed(asked.terminal, VERIFY_AAD, asked.signed)
        if terminal.site != asked.site:
            raise Problem(409, "message.other-site", "The terminal is registered for another site.")
        judgement = await self._recall(asked) or await self._ask_issuer(asked)
        if judgement is _OTHER_CODE:
            raise Problem(409, judgement.reason, "This attempt was about another code.")
        fields: dict[int, Any] = {1: asked.attempt_id, 2: asked.terminal, 3: int(judgement.finding)}
        fields |= {4: judgement.reason, 5: self._now_ms()}
        if judgement.name is not None:
            fields[6] = judgement.name
        return web.Response(body=cose.sign(self._key, VERIFICATION_AAD, cbor.encode(fields)), content_type=CBOR)

    async def _recall(self, asked: Request) -> Judgement | None:
        rows = await self._database.read(statements.ATTEMPT, (asked.terminal, asked.attempt_id))
        return _repeated(asked, [tuple(row) for row in rows], self._now_ms())

    async def _ask_issuer(self, asked: Request) -> Judgement:
        await asyncio.sleep(min(self._issuer_delay_s, ISSUER_PATIENCE_S))
        if self._issuer_delay_s > ISSUER_PATIENCE_S:
            return Judgement(Finding.UNDECIDED, "online.issuer-silent")
        if asked.family != _FAMILY:
            return _NOT_OURS
        judgement = self._codes.judge(asked.code, self._now_ms() // 1000)
        if judgement.finding is Finding.UNDECIDED:
            return judgement
        return await self._database.write(lambda db: self._settle(db, asked, judgement))

    async def _settle(self, db: Transaction, asked: Request, judgement: Judgement) -> Judgement:
        """Use a code up and note the answer: within one commit. Raises nothing but the database's errors."""
        now_ms = self._now_ms()
        attempt = (asked.terminal, asked.attempt_id)
        rows = await db.rows(statements.ATTEMPT, attempt)
        if (repeated := _repeated(asked, [tuple(row) for row in rows], now_ms)) is not None:
            return repeated
        if judgement.once is not None:
            code_hash, expires_at_ms = judgement.once
            await db.execute(statements.FORGET_USED, (now_ms - REPEATED_FOR_MS,))
            await db.execute(statements.USE, (code_hash, *attempt, expires_at_ms))
            (user,) = await db.rows(statements.USED_BY, (code_hash,))
            if tuple(user) != attempt:
                judgement = Judgement(Finding.NOT_GENUINE, "online.used")
        await db.execute(statements.FORGET_ATTEMPTS, (now_ms - REPEATED_FOR_MS,))
        said = (int(judgement.finding), judgement.reason, now_ms)
        await db.execute(statements.NOTE_ATTEMPT, (*attempt, _hash_of(asked.code), *said))
        return judgement


async def _ready(_: web.Request) -> web.Response:
    """Answer a terminal that only wants to hold a connection open."""
    return web.Response(status=204)


def read_request(data: bytes) -> Request:
    """Read a verification-request; its signature is checked by the caller. Raises MessageInvalid."""
    signed, f = read_signed_fields("verification-request", data, _FIELDS, REQUEST_BYTES_MAX)
    return Request(signed, f[1], f[2], f[3], f[5], f[6])


def _repeated(asked: Request, rows: list[tuple[Any, ...]], now_ms: int) -> Judgement | None:
    """Return what this attempt was answered before; _OTHER_CODE: one id for two codes is nobody's honest mistake."""
    if not rows:
        return None
    code_hash, finding, reason, at_ms = rows[0]
    if bytes(code_hash) != _hash_of(asked.code):
        return _OTHER_CODE
    if at_ms < now_ms - REPEATED_FOR_MS:
        return None  # its token has long expired: it is judged like any other
    name = None
    if finding == Finding.GENUINE:
        name = masked_name(bytes.fromhex(asked.code[:64].decode("ascii")))
    return Judgement(Finding(finding), reason, name)


def _hash_of(code: bytes) -> bytes:
    return hashlib.sha256(code.upper()).digest()  # a scanner with Caps Lock on reads the same code
