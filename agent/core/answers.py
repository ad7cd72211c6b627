"""Which request an unverified answer claims to be about: a peek, so that answers find who waits for them.

The law: it never raises and believes nothing; what has no readable id has none. Whether the answer is genuine is read
later, by whoever asked (core/delivery.py).
"""

from dataclasses import dataclass

import cbor2

from agent.core.formats import cbor, cose

ANSWER_BYTES_MAX = 262_144  # far above any hello-answer or receipt
PROBLEM_BYTES_MAX = 2_048
REASON_CHARS_MAX = 200
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal on down/problem, not signed: of which batch or hello, the status as over HTTP, a printable reason."""

    about: bytes
    status: int
    reason: str


def id_of_receipt(signed: bytes) -> bytes | None:
    """Return the batch id in a signed-receipt (batch.cddl), or None."""
    if len(signed) > ANSWER_BYTES_MAX:
        return None
    try:
        payload = cose.decode_sign1(signed).payload
        fields = cbor.decode_deterministic(payload)
    except (cose.CoseInvalid, cbor.CborInvalid):
        return None
    return _id_in(fields)


def id_of_hello_answer(answer: bytes) -> bytes | None:
    """Return the hello id in the receipt of a hello-answer (hello.cddl), or None."""
    match _fields(answer, ANSWER_BYTES_MAX):
        case {2: bytes(signed)}:
            return id_of_receipt(signed)
    return None


def read_problem(data: bytes) -> Problem | None:
    """Return a refusal (docs/protocol/README.md, down/problem), or None where it is none."""
    match _fields(data, PROBLEM_BYTES_MAX):
        case {1: bytes(about), 2: int(status), 3: str(said)} if len(about) == _ID_BYTES and 100 <= status <= 599:
            return Problem(about, status, printable(said))
    return None


def id_of_request(request: bytes) -> bytes | None:
    """Return the id of a hello or batch of our own."""
    try:
        return _id_in(cbor2.loads(request))
    except cbor2.CBORError:
        return None


def printable(text: str) -> str:
    """Return what of a stranger's text may be shown and logged: printable, and at most REASON_CHARS_MAX of it."""
    return "".join(c for c in text[: 4 * REASON_CHARS_MAX] if c.isprintable())[:REASON_CHARS_MAX]


def _fields(data: bytes, bytes_max: int) -> object:
    if len(data) > bytes_max:
        return None
    try:
        return cbor.decode_deterministic(data)
    except cbor.CborInvalid:
        return None


def _id_in(fields: object) -> bytes | None:
    match fields:
        case {1: bytes(id_)} if len(id_) == _ID_BYTES:
            return id_
    return None
