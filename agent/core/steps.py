"""The policy: which medical step accepts which code, and how far a terminal may go on its own. Data, not code.

An empty or missing policy refuses everything. A site's local settings may only narrow the signed policy.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec

POLICY_BYTES_MAX = 65_536
ONLINE_FAMILIES = frozenset({"national", "insurance", "resident-id", "hospital-card", "e-prescription"})
"""Families without an offline proof that a platform can settle."""

Check = Literal["time", "expiry", "revocation", "online", "separators", "signature", "check-character"]
"""What a verdict may have left unchecked (docs/codes.md)."""

_CODE_KIND = re.compile(r"[a-z0-9-]{1,16}\.(static|dynamic|any)")
_STEP_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class PolicyInvalid(Exception):
    """The policy file cannot be used; the message names the place and what is wrong."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One medical step (platforms.md lists them).

    verified: code kinds ("family.static", "family.dynamic", "family.any") accepted when proven: by a signature, or, in
    families that have none, by the platform, which is asked then. provisional: code kinds accepted provisionally where
    there is no proof.
    checked: what must not have been left unchecked; a code of which it was is refused.
    confirm: whose yes is needed before the step goes on, if anyone's.
    med_step, scene: the national numbers of the step.
    """

    verified: frozenset[str] = frozenset()
    provisional: frozenset[str] = frozenset()
    checked: frozenset[Check] = frozenset()
    confirm: Literal["clinician", "pharmacist", "patient"] | None = None
    med_step: str = "000000"
    scene: str | None = None


class Offline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a terminal may go without the platform.

    provisional_unsettled_max: provisional acceptances the platform has not acknowledged yet.
    stale_normal_s, stale_provisional_s: how long past the trust list's expiry codes are still accepted normally, and
    then provisionally; beyond that, not at all offline.
    """

    provisional_unsettled_max: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 200
    stale_normal_s: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)] = 86_400
    stale_provisional_s: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)] = 7 * 86_400


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy, as signed."""

    format: Literal["scanward-policy-1"]
    version: int
    offline: Offline = Offline()
    steps: dict[str, Step] = {}

    def narrowed(
        self, refuse: Mapping[str, frozenset[str]], checked: Mapping[str, frozenset[Check]] | None = None
    ) -> "Policy":
        """Return this policy without the code kinds a site refuses, by step name ("*" for every step).

        checked: what the site wants to have been checked beside what the policy does, likewise.
        """
        steps, more = {}, checked or {}
        for name, step in self.steps.items():
            gone = refuse.get(name, frozenset()) | refuse.get("*", frozenset())
            steps[name] = msgspec.structs.replace(
                step,
                verified=_without(step.verified, gone),
                provisional=_without(step.provisional, gone),
                checked=step.checked | more.get(name, frozenset()) | more.get("*", frozenset()),
            )
        return msgspec.structs.replace(self, steps=steps)


def parse_policy(data: bytes) -> Policy:
    """Read policy.toml. Raises PolicyInvalid with the place and the fault."""
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyInvalid(f"the policy has {len(data)} bytes; at most {POLICY_BYTES_MAX} are read")
    try:
        raw = tomllib.loads(data.decode("utf-8"))
        _require_steps(raw)
        policy = msgspec.convert(raw, Policy)
    except RecursionError as error:
        raise PolicyInvalid("the policy is not valid: nested too deeply") from error
    except (msgspec.ValidationError, ValueError) as error:
        raise PolicyInvalid(f"the policy is not valid: {error}") from error
    for name, step in policy.steps.items():
        if not _STEP_NAME.fullmatch(name):
            raise PolicyInvalid(f"steps.{name}: a step's name is lower case letters, digits and hyphens")
        for kind in step.verified | step.provisional:
            if not _CODE_KIND.fullmatch(kind):
                raise PolicyInvalid(f"steps.{name}: {kind!r} is not of the form family.static|dynamic|any")
    return policy


def _require_steps(raw: dict[str, Any]) -> None:
    """Read each step by itself, so that a fault is told with the step's name. Raises PolicyInvalid."""
    steps = raw.get("steps")
    for name, step in steps.items() if isinstance(steps, dict) else ():
        try:
            msgspec.convert(step, Step)
        except msgspec.ValidationError as error:
            allowed = f" (allowed: {', '.join(get_args(Check))})" if "$.checked" in str(error) else ""
            raise PolicyInvalid(f"steps.{name}: {error}{allowed}") from error


def is_online_wanted(policy: Policy) -> bool:
    """Say whether any step wants the platform asked: it lists as verified a kind that has no offline proof."""
    return any(kind.partition(".")[0] in ONLINE_FAMILIES for step in policy.steps.values() for kind in step.verified)


def _without(kinds: frozenset[str], gone: frozenset[str]) -> frozenset[str]:
    """Take refused kinds away; refusing one type of "family.any" leaves the other."""
    left = set[str]()
    for kind in kinds - gone:
        family, _, type_ = kind.partition(".")
        if f"{family}.any" in gone:
            continue
        if type_ == "any":
            both = {f"{family}.static", f"{family}.dynamic"}
            left |= (both - gone) if both & gone else {kind}
        else:
            left.add(kind)
    return frozenset(left)
