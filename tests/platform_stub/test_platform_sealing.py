"""The platform opens what was sealed for it, and nothing else."""

import pytest
from vectors import generate

from platform_stub.wire.record import read_record
from platform_stub.wire.sealing import SealBroken, open_data_key, open_fields


@pytest.fixture
def sealed(vectors):
    """The data-key record and the sealed decision of the vectors."""
    return [read_record(bytes.fromhex(r["envelope"])).fields for r in vectors("records")["records"][:2]]


def test_the_vectors_open(vectors, sealed):
    data_key = open_data_key(sealed[0], generate.SEAL)
    assert data_key.hex() == vectors("records")["data_key"]
    assert open_fields(sealed[1], data_key).card == generate.CARD


def test_another_key_opens_nothing(sealed):
    stranger = generate.x25519.X25519PrivateKey.generate()
    with pytest.raises(SealBroken, match="not wrapped for this key"):
        open_data_key(sealed[0], stranger)
    posing = [[generate.kid(stranger), sealed[0][9][0][1]]]
    with pytest.raises(SealBroken, match="does not open"):
        open_data_key({**sealed[0], 9: posing}, stranger)


@pytest.mark.parametrize("number", [2, 7])
def test_a_wrap_moved_to_another_ledger_or_epoch_does_not_open(sealed, number):
    with pytest.raises(SealBroken):
        open_data_key({**sealed[0], number: bytes(len(sealed[0][number]))}, generate.SEAL)


@pytest.mark.parametrize(("number", "value"), [(2, bytes(16)), (3, 9), (5, 1), (8, [bytes(12), bytes(40)])])
def test_fields_moved_to_another_record_do_not_open(sealed, number, value):
    data_key = open_data_key(sealed[0], generate.SEAL)
    with pytest.raises(SealBroken):
        open_fields({**sealed[1], number: value}, data_key)


def test_opened_fields_do_not_show_in_a_text(sealed):
    fields = open_fields(sealed[1], open_data_key(sealed[0], generate.SEAL))
    assert generate.CARD.hex() not in repr(fields)
    assert repr(generate.CARD) not in repr(fields)
