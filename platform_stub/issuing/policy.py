"""The policy before it is signed: read to the letter, as terminals do.

The law: a terminal that cannot read one word of it takes nothing of the version it came with, no revocation either. So
a policy that a terminal would refuse is not signed.
"""

import re
import tomllib
from typing import Annotated, Any, Literal, get_args

import msgspec

POLICY_BYTES_MAX = 65_536
FIELDS = ("format", "version", "offline", "steps")
Check = Literal["time", "expiry", "revocation", "online", "separators", "signature", "check-character"]
CodeKind = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]{1,16}\.(static|dynamic|any)\Z")]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]
_STEP_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class PolicyInvalid(Exception):
    """Terminals would refuse this policy; the message names the place and what is wrong."""


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    verified: tuple[CodeKind, ...] = ()
    provisional: tuple[CodeKind, ...] = ()
    checked: tuple[Check, ...] = ()
    confirm: Literal["clinician", "pharmacist", "patient"] = "patient"
    med_step: str = ""
    scene: str = ""


class _Offline(msgspec.Struct, forbid_unknown_fields=True):
    provisional_unsettled_max: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    stale_normal_s: _Seconds = 0
    stale_provisional_s: _Seconds = 0


def require_policy(data: bytes) -> None:
    """Check policy.toml as terminals will read it. Raises PolicyInvalid."""
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyInvalid(f"more than {POLICY_BYTES_MAX} bytes")
    try:
        policy = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"not TOML: {error}") from error
    if unknown := sorted(policy.keys() - set(FIELDS)):
        raise PolicyInvalid(f"{unknown[0]!r} is nothing that terminals know (allowed: {', '.join(FIELDS)})")
    if policy.get("format") != "scanward-policy-1" or type(policy.get("version")) is not int:
        raise PolicyInvalid('format is "scanward-policy-1", and version a whole number')
    _require("offline", policy.get("offline", {}), _Offline)
    steps = _require("steps", policy.get("steps", {}), dict[str, Any])
    for name, step in steps.items():
        if not _STEP_NAME.fullmatch(name):
            raise PolicyInvalid(f"steps: {name!r}: a step's name is lower case letters, digits and hyphens")
        _require(f"steps.{name}", step, _Step)


def _require(place: str, value: Any, type_: Any) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        allowed = f" (allowed: {', '.join(get_args(Check))})" if "$.checked" in str(error) else ""
        raise PolicyInvalid(f"{place}: {error}{allowed}") from error
