"""A terminal's record, read strictly by docs/protocol/record.cddl. What does not fit raises RecordMalformed.

Reading checks form and place (terminal, ledger, seq, prev), not the signature: the signed head covers a whole chain.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from platform_stub.wire import cbor
from platform_stub.wire.cose import CoseInvalid, Signed, read_signed
from platform_stub.wire.fields import (
    HASH,
    KID,
    LEDGER_ID,
    MILLISECONDS,
    REASON,
    SEQ,
    TERMINAL_ID,
    Check,
    any_text,
    listed,
    octets,
    one_of,
    row,
    short_text,
    text,
    uint,
)

RECORD_AAD = "scanward-record-1"
DECISION = 0
REQUEST = 1
ATTEMPT = 2
DATA_KEY = 6
_UINT64_MAX = 2**64 - 1


class RecordMalformed(Exception):
    """The envelope does not hold a record of this wire."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record by its fields' numbers, and the envelope taken apart."""

    signed: Signed
    fields: Mapping[int, Any]

    @property
    def prev(self) -> bytes:
        """h(seq - 1), as the terminal says."""
        prev: bytes = self.fields[4]
        return prev

    @property
    def replay_id(self) -> bytes | None:
        """The one-time code this record used up; an attempt only asked about one."""
        replay_id: bytes | None = self.fields.get(18) if self.fields[5] == DECISION else None
        return replay_id


_BOOT_ID, _SOURCE = octets(16), text(r"[a-z]{1,16}")


def _is_stamp(value: object) -> bool:
    if type(value) is not list or len(value) != 5:
        return False
    boot_id, raw, earliest, latest, source = value
    return (
        _BOOT_ID(boot_id)
        and MILLISECONDS(raw)
        and MILLISECONDS(earliest)
        and (latest is None or MILLISECONDS(latest))
        and _SOURCE(source)
    )


_SHARED: dict[int, Check] = {1: TERMINAL_ID, 2: LEDGER_ID, 3: SEQ, 4: HASH, 6: _is_stamp}
_EPOCH = octets(8)
_DECISION_REQUIRED: dict[int, Check] = {
    **_SHARED,
    5: one_of(DECISION),
    10: text(r"[a-z][a-z0-9-]{0,31}"),
    11: one_of(0, 1, 2, 3),
    12: REASON,
    13: one_of(0, 1, 2, 3),
    14: REASON,
    15: text(r"[a-z0-9-]{1,16}"),
    23: text(r"[a-z0-9-]{1,32}"),
}
_DECISION_OPTIONAL: dict[int, Check] = {
    7: _EPOCH,
    8: row(octets(12), octets(17, 2048)),
    16: one_of(0, 1),
    17: short_text(32),
    18: octets(16),
    19: one_of(0, 1, 2),
    20: row(uint(_UINT64_MAX), uint(_UINT64_MAX)),
    21: listed(REASON, 1, 8),
    22: listed(any_text, 1, 200),
    28: octets(16),
}
_REQUEST_REQUIRED: dict[int, Check] = {
    **_SHARED,
    5: one_of(REQUEST),
    10: _DECISION_REQUIRED[10],
    24: octets(16),
    25: one_of(0, 1, 2, 3, 4, 5),
}
_REQUEST_OPTIONAL: dict[int, Check] = {22: _DECISION_OPTIONAL[22], 26: SEQ, 27: one_of(0, 1, 2)}
_ATTEMPT_REQUIRED: dict[int, Check] = {
    **_SHARED,
    5: one_of(ATTEMPT),
    28: octets(16),
    **{number: _DECISION_REQUIRED[number] for number in (10, 15, 23)},
}
_DATA_KEY_REQUIRED: dict[int, Check] = {
    **_SHARED,
    5: one_of(DATA_KEY),
    7: _EPOCH,
    9: listed(row(KID, octets(80)), 1, 4),
}


def _checker(required: dict[int, Check], optional: dict[int, Check]) -> Callable[[dict[int, Any]], bool]:
    must, checks = required.keys(), {**required, **optional}

    def fits(fields: dict[int, Any]) -> bool:
        if not must <= fields.keys():
            return False
        for number, value in fields.items():
            check = checks.get(number)
            if check is None or not check(value):
                return False
        return True

    return fits


_fits_decision = _checker(_DECISION_REQUIRED, _DECISION_OPTIONAL)
_fits_request = _checker(_REQUEST_REQUIRED, _REQUEST_OPTIONAL)
_fits_data_key = _checker(_DATA_KEY_REQUIRED, {})
_fits_attempt = _checker(_ATTEMPT_REQUIRED, {number: _DECISION_OPTIONAL[number] for number in (16, 18)})


def read_record(envelope: bytes) -> Record:
    """Read an envelope. Raises RecordMalformed."""
    try:
        signed = read_signed(envelope)
        fields = cbor.decode(signed.payload)
    except (CoseInvalid, cbor.CborInvalid) as error:
        raise RecordMalformed(str(error)) from error
    if type(fields) is not dict:
        raise RecordMalformed("not a map")
    kind = fields.get(5)
    if kind == DATA_KEY:
        fits = _fits_data_key(fields)
    elif kind == REQUEST:
        fits = _fits_request(fields)
    elif kind == ATTEMPT:
        fits = _fits_attempt(fields)
    else:
        fits = _fits_decision(fields) and (7 in fields) == (8 in fields) and (18 in fields) == (19 in fields)
    if not fits:
        raise RecordMalformed("a field is missing, unknown or of the wrong form")
    return Record(signed, fields)
