"""A peek at what claims to be an answer never raises, and finds the id where there is one."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.answers import (
    ANSWER_BYTES_MAX,
    REASON_CHARS_MAX,
    Problem,
    id_of_hello_answer,
    id_of_receipt,
    id_of_request,
    read_problem,
)


def test_the_ids_in_the_vectors_are_found(vectors):
    batch, hello = vectors("batch"), vectors("hello")
    assert id_of_receipt(bytes.fromhex(batch["receipt"])) == id_of_request(bytes.fromhex(batch["batch"]))
    assert id_of_hello_answer(bytes.fromhex(hello["answer"])) == id_of_request(bytes.fromhex(hello["hello"]))
    assert id_of_request(bytes.fromhex(hello["hello"])) is not None


@given(st.binary(max_size=300))
def test_garbage_has_no_id_and_does_no_harm(data):
    assert id_of_hello_answer(data) is None
    assert id_of_receipt(data) is None
    found = read_problem(data)
    assert found is None or len(found.about) == 16


@pytest.mark.parametrize("peek", [id_of_receipt, id_of_hello_answer, read_problem])
@pytest.mark.parametrize("data", [b"", b"\x9f" * 1_000, b"\x81" * 5_000, b"\xd2\x84" + b"\x5b" + b"\xff" * 8])
def test_deep_endless_and_lying_encodings_have_no_id(peek, data):
    assert peek(data) is None


def test_what_is_too_long_is_not_looked_at():
    assert id_of_receipt(b"\xd2" * (ANSWER_BYTES_MAX + 1)) is None


def test_a_problem_is_bounded_and_printable():
    data = cbor2.dumps({1: b"b" * 16, 2: 422, 3: "no\x1b[31m \u202esuch " + "x" * 500}, canonical=True)
    found = read_problem(data)
    assert found == Problem(b"b" * 16, 422, ("no[31m such " + "x" * 500)[:REASON_CHARS_MAX])


@pytest.mark.parametrize(
    "fields",
    [
        {1: b"b", 2: 422, 3: ""}, {1: b"b" * 16, 2: 42, 3: ""}, {1: b"b" * 16, 2: 4_222, 3: ""}, {1: b"b" * 16, 2: 422},
        {1: b"b" * 16, 2: "422", 3: ""}, {1: b"b" * 16, 2: 422, 3: b""}, [], 7,
    ],
)  # fmt: skip
def test_what_is_no_problem_is_none(fields):
    assert read_problem(cbor2.dumps(fields, canonical=True)) is None
