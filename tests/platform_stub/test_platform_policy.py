"""The policy before it is signed: what the platform takes, terminals read."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.steps import parse_policy
from fakes.altered import altered
from platform_stub.issuing.policy import POLICY_BYTES_MAX, PolicyInvalid, require_policy
from platform_stub.layout import DEFAULT_POLICY

POLICY = b"""format = "scanward-policy-1"
version = 3
[offline]
stale_normal_s = 60
[steps.payment]
verified = ["ehc.dynamic"]
provisional = ["national.any"]
checked = ["revocation", "time"]
confirm = "patient"
med_step = "010101"
scene = "01"
"""


def to_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize("policy", [POLICY, DEFAULT_POLICY.read_bytes()])
def test_a_policy_that_terminals_read_is_taken(policy):
    require_policy(policy)
    parse_policy(policy)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b'"time"', b'"times"'), "'times' is none of check-character"),
        ((b"checked", b"check"), "steps.payment: terminals know no check"),
        ((b"[steps.payment]", b"[steps.Payment]"), "lower case"),
        ((b"ehc.dynamic", b"ehc.dyn"), "family.static"),
        ((b"patient", b"doctor"), "clinician, patient, pharmacist"),
        ((b'"01"', b"1"), "med_step, scene: not texts"),
        ((b"60", b"-1"), "stale_normal_s: 0 to"),
        ((b"version = 3", b"version = true"), "version"),
        ((b"-1", b"-2"), "format"),
        ((b"[offline]", b"[ofline]"), "the policy: terminals know no ofline"),
        ((b"version = 3", b"version = "), "not TOML"),
        ((b"version = 3", b"version = 3 #" + b"#" * POLICY_BYTES_MAX), "bytes"),
    ],
)
def test_a_slip_is_named_before_any_terminal_sees_it(change, says):
    with pytest.raises(PolicyInvalid, match=says):
        require_policy(POLICY.replace(*change))


ODD = st.booleans() | st.integers(-1, 2**70) | st.floats(allow_nan=False, allow_infinity=False)
ODD |= st.text("abc.-_ é", max_size=40) | st.lists(st.text("ab.*", max_size=9))
ODD |= st.sampled_from([[], ["ehc.any"], ["time"], "patient", ["hcert.any"], 86_400])


@given(altered([tomllib.loads(POLICY.decode())], ODD | st.dictionaries(st.text("ab.", max_size=3), ODD, max_size=2)))
def test_what_the_platform_takes_terminals_read(table):
    data = "\n".join(f"{json.dumps(key)} = {to_toml(value)}" for key, value in table.items()).encode()
    try:
        require_policy(data)
    except PolicyInvalid as error:
        said = str(error)
    else:
        said = "taken"
        parse_policy(data)
    assert 0 < len(said) < 1_000
