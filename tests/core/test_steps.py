import contextlib
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.steps import PolicyInvalid, parse_policy
from fakes.altered import altered

POLICY = b"""
format = "scanward-policy-1"
version = 3
[steps.registration]
verified = ["ehc.any"]
provisional = ["national.static"]
[steps.payment]
verified = ["ehc.dynamic"]
"""


def test_a_policy_is_read():
    policy = parse_policy(POLICY)
    assert policy.version == 3
    assert policy.steps["payment"].verified == {"ehc.dynamic"}
    assert policy.offline.provisional_unsettled_max == 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b"version = 3", b"version = 3\nverson = 4"), "verson"),
        ((b"scanward-policy-1", b"scanward-policy-2"), "format"),
        ((b'"ehc.dynamic"', b'"ehc.sometimes"'), "ehc.sometimes"),
        (
            (b'["ehc.dynamic"]', b'["ehc.dynamic"]\nchecked = ["revocations"]'),
            r"steps\.payment: .*revocations.*allowed: time, expiry",
        ),
        ((b"steps.payment", b"steps.Payment"), "Payment"),
        ((b"version = 3", b"version = "), "not valid"),
        ((b"version = 3", b"version = 3 # \xff"), "not valid"),
        ((b"version = 3", b"#" * 70_000), "bytes"),
        ((b"version = 3", b"a = " + b"[" * 5_000), "not valid"),
        ((b"version = 3", b"version = " + b"9" * 5_000), "not valid"),
    ],
)
def test_a_faulty_policy_is_refused_and_the_message_names_the_fault(change, says):
    with pytest.raises(PolicyInvalid, match=says):
        parse_policy(POLICY.replace(*change))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data):
    with contextlib.suppress(PolicyInvalid):
        parse_policy(data)


ODD = st.booleans() | st.integers(-1, 2**63) | st.text("abc.-_ é", max_size=40) | st.lists(st.text("ab.*", max_size=9))
ODD |= st.sampled_from([[], ["ehc.any"], ["national.static"], ["ehc.any", "ehc.static"], ["hcert.any"], ["novel.any"]])


@given(altered([tomllib.loads(POLICY.decode())], ODD | st.dictionaries(st.text("ab.", max_size=3), ODD, max_size=2)))
def test_a_policy_with_something_odd_in_it_is_taken_or_refused_in_words(table):
    try:
        policy = parse_policy(
            "\n".join(f"{json.dumps(key)} = {to_toml(value)}" for key, value in table.items()).encode()
        )
    except PolicyInvalid as error:
        said = str(error)
    else:
        said = "taken"
        assert policy.steps.keys() == table.get("steps", {}).keys()
    assert 0 < len(said) < 1_000


def to_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


def test_a_site_can_only_narrow_the_policy():
    policy = parse_policy(POLICY)
    narrowed = policy.narrowed({"registration": frozenset({"ehc.static", "national.static"})})
    assert narrowed.steps["registration"].verified == {"ehc.dynamic"}
    assert narrowed.steps["registration"].provisional == set()
    assert narrowed.steps["payment"] == policy.steps["payment"]


def test_refusing_every_type_of_a_family_everywhere_leaves_nothing_of_it():
    narrowed = parse_policy(POLICY).narrowed({"*": frozenset({"ehc.any"})})
    assert narrowed.steps["registration"].verified == set()
    assert narrowed.steps["payment"].verified == set()


def test_naming_an_unknown_step_adds_nothing():
    policy = parse_policy(POLICY)
    assert policy.narrowed({"dispensing": frozenset({"ehc.static"})}).steps.keys() == policy.steps.keys()


def test_a_site_may_want_more_checked_and_never_less():
    policy = parse_policy(POLICY + b'checked = ["revocation"]\n')
    narrowed = policy.narrowed({}, {"*": frozenset({"time"}), "payment": frozenset({"expiry"})})
    assert narrowed.steps["registration"].checked == {"time"}
    assert narrowed.steps["payment"].checked == {"revocation", "time", "expiry"}
    assert policy.narrowed({}).steps["payment"].checked == {"revocation"}
