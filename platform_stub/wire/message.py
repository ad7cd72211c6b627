"""What terminals send: a batch (batch.cddl) and a hello (hello.cddl), each with a signed head. Limits included.

The law: the readers raise MessageInvalid and nothing else, whatever the bytes. Signatures are checked by the caller.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from platform_stub.wire import cbor
from platform_stub.wire.cose import CoseInvalid, Signed, read_signed
from platform_stub.wire.fields import (
    BATCH_ID,
    HASH,
    INT64_MAX,
    LEDGER_ID,
    SEQ,
    SITE_ID,
    TERMINAL_ID,
    Check,
    listed,
    octets,
    short_text,
    uint,
)

BATCH_BYTES_MAX = 262_144
HELLO_BYTES_MAX = 2_048
ENVELOPES_MAX = 200
ENVELOPE_BYTES_MAX = 8_192
HEAD_AAD = "scanward-head-1"
PROTOCOL_VERSION = 1


class MessageInvalid(Exception):
    """Not a message of this wire; the message says which part."""


@dataclass(frozen=True, slots=True)
class Head:
    """A ledger's head as its terminal signed it."""

    signed: Signed
    terminal: str
    ledger_id: bytes
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Envelopes from `first_seq` on, without a hole, and the head as of the last."""

    batch_id: bytes
    terminal: str
    ledger_id: bytes
    first_seq: int
    envelopes: tuple[bytes, ...]
    head: Head


@dataclass(frozen=True, slots=True)
class Hello:
    """The first words of a connection. receipted_seq: the last seq the terminal holds a receipt for."""

    hello_id: bytes
    terminal: str
    site: str
    versions: tuple[int, ...]
    software: str
    ledger_id: bytes
    head: Head
    receipted_seq: int


_SIGNED_HEAD = octets(1, 512)
_BATCH: dict[int, Check] = {
    1: BATCH_ID,
    2: TERMINAL_ID,
    3: LEDGER_ID,
    4: SEQ,
    5: listed(octets(1, ENVELOPE_BYTES_MAX), 1, ENVELOPES_MAX),
    6: _SIGNED_HEAD,
}
_HEAD: dict[int, Check] = {1: TERMINAL_ID, 2: LEDGER_ID, 3: SEQ, 4: HASH}
_HELLO: dict[int, Check] = {
    1: BATCH_ID,
    2: TERMINAL_ID,
    3: SITE_ID,
    4: listed(uint(2**64 - 1), 1, 8),
    5: short_text(64),
    6: LEDGER_ID,
    7: _SIGNED_HEAD,
    8: SEQ,
}


def read_batch(data: bytes) -> Batch:
    """Read a batch. Raises MessageInvalid."""
    if len(data) > BATCH_BYTES_MAX:
        raise MessageInvalid(f"a batch has at most {BATCH_BYTES_MAX} bytes")
    fields = _read("batch", data, _BATCH)
    first_seq, envelopes = fields[4], fields[5]
    if first_seq == 0 or first_seq + len(envelopes) - 1 > INT64_MAX:
        raise MessageInvalid("batch: records are numbered from 1, within 63 bits")
    return Batch(fields[1], fields[2], fields[3], first_seq, tuple(envelopes), _read_head(fields[6]))


def read_hello(data: bytes) -> Hello:
    """Read a hello. Raises MessageInvalid."""
    if len(data) > HELLO_BYTES_MAX:
        raise MessageInvalid(f"a hello has at most {HELLO_BYTES_MAX} bytes")
    f = _read("hello", data, _HELLO)
    return Hello(f[1], f[2], f[3], tuple(f[4]), f[5], f[6], _read_head(f[7]), f[8])


def read_signed_fields(
    what: str, data: bytes, checks: dict[int, Check], bytes_max: int, optional: Collection[int] = ()
) -> tuple[Signed, dict[int, Any]]:
    """Read a signed map of such fields; its signature is checked by the caller. Raises MessageInvalid."""
    if len(data) > bytes_max:
        raise MessageInvalid(f"{what}: at most {bytes_max} bytes are read")
    try:
        signed = read_signed(data)
    except CoseInvalid as error:
        raise MessageInvalid(f"{what}: {error}") from error
    return signed, _read(what, signed.payload, checks, optional)


def _read_head(data: bytes) -> Head:
    try:
        signed = read_signed(data)
    except CoseInvalid as error:
        raise MessageInvalid(f"head: {error}") from error
    fields = _read("head", signed.payload, _HEAD)
    return Head(signed, fields[1], fields[2], fields[3], fields[4])


def _read(what: str, data: bytes, checks: dict[int, Check], optional: Collection[int] = ()) -> dict[int, Any]:
    try:
        fields = cbor.decode(data)
    except cbor.CborInvalid as error:
        raise MessageInvalid(f"{what}: {error}") from error
    if type(fields) is not dict or fields.keys() | set(optional) != checks.keys():
        raise MessageInvalid(f"{what}: not a map of exactly the fields of its CDDL")
    for number, value in fields.items():
        if not checks[number](value):
            raise MessageInvalid(f"{what}: field {number} does not fit")
    return fields
