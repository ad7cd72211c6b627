"""The policies that documents show are policies."""

import re
from pathlib import Path

from agent.core.steps import is_online_wanted, parse_policy
from platform_stub.layout import DEFAULT_POLICY

ROOT = Path(__file__).parents[1]
HEAD = 'format = "scanward-policy-1"\nversion = 1\n'


def test_the_examples_of_the_guide_to_codes_are_read():
    (block,) = re.findall(r"```toml\n(\[steps\..*?)```", (ROOT / "docs" / "codes.md").read_text(), re.DOTALL)
    policy = parse_policy((HEAD + block).encode())
    assert {"admission", "settlement", "foreign-prescription", "package-check"} == policy.steps.keys()
    assert is_online_wanted(policy)


def test_the_platform_s_policy_takes_nothing_new_until_its_examples_are_wanted():
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    kinds = {kind for step in parse_policy(text.encode()).steps.values() for kind in step.verified | step.provisional}
    assert {kind.partition(".")[0] for kind in kinds} == {"ehc", "national"}
    wanted = re.sub(r"^# (?=\[|verified|confirm)", "", text, flags=re.MULTILINE)
    assert parse_policy(wanted.encode()).steps.keys() - parse_policy(text.encode()).steps.keys() == {
        "admission",
        "settlement",
    }
