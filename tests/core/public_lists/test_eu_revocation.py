"""Batches of revoked DCCs become entries of revoked.bin."""

import hashlib
import json

import pytest

from agent.core.public_lists import eu_revocation
from agent.core.public_lists.intake import ListUnreadable
from fakes.public_lists import intake, refused, revocation_batch

HASHES = [hashlib.sha256(bytes([number])).digest()[:16] for number in range(3)]


def read(value):
    one = intake()
    eu_revocation.read(json.dumps(value).encode(), one)
    return one


@pytest.mark.parametrize(
    "value", [revocation_batch(HASHES), [revocation_batch(HASHES[:1]), revocation_batch(HASHES[1:])]]
)
def test_each_hash_becomes_an_entry(value):
    one = read(value)
    assert one.refused == []
    assert one.revoked == {hashlib.sha256(b"dcc" + digest).digest()[:8] for digest in HASHES}


@pytest.mark.parametrize(
    ("batch", "place", "reason"),
    [
        (7, "[1]", "not-an-entry"),
        (revocation_batch(HASHES, hashType="MD5"), "[1]", "not-an-entry"),
        (revocation_batch(HASHES, hashType={}), "[1]", "not-an-entry"),
        (revocation_batch(HASHES, expires="soon"), "[1]", "not-an-entry"),
        (revocation_batch(HASHES, expires="2027-01-01T00:00:00"), "[1]", "not-an-entry"),
        (revocation_batch(HASHES, expires="2026-01-01T00:00:00Z"), "[1]", "expired"),
        (revocation_batch([b"short"]), "[1].entries[0]", "not-an-entry"),
        (revocation_batch([]) | {"entries": [7]}, "[1].entries[0]", "not-an-entry"),
        (revocation_batch([]) | {"entries": [{"hash": "*"}]}, "[1].entries[0]", "not-base64"),
        (revocation_batch(HASHES[:1]), "[1].entries[0]", "duplicate"),
    ],
)
def test_what_is_not_taken_is_named_and_costs_no_other(batch, place, reason):
    one = read([revocation_batch(HASHES[:1]), batch])
    assert len(one.revoked) == 1
    assert refused(one) == [(place, reason)]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"7", b'{"entries": 7, "hashType": "UCI", "expires": "2027-01-01T00:00:00Z"}']
)
def test_what_is_no_batch_is_refused_as_a_whole(data):
    with pytest.raises(ListUnreadable):
        eu_revocation.read(data, intake())
