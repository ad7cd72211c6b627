"""policy.toml as terminals read it: what one of them cannot read keeps the whole new version from it.

The law: fields, words and forms are checked to the letter, by the platform's own code; what a step should accept is for
whoever writes it.
"""

import re
import tomllib
from typing import Any

FORMAT = "scanward-policy-1"
POLICY_BYTES_MAX = 65_536
CHECKS = frozenset({"time", "expiry", "revocation", "online", "separators", "signature", "check-character"})
CONFIRMED_BY = frozenset({"clinician", "pharmacist", "patient"})
NUMBER_MAX = 2**63 - 1
_YEAR_S = 366 * 86_400
_OFFLINE = {"provisional_unsettled_max": 100_000, "stale_normal_s": _YEAR_S, "stale_provisional_s": _YEAR_S}
_STEP = frozenset({"verified", "provisional", "checked", "confirm", "med_step", "scene"})
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KIND = re.compile(r"[a-z0-9-]{1,16}\.(?:static|dynamic|any)")


class PolicyInvalid(Exception):
    """No terminal would read it; the message names the place and what is wrong."""


def require_policy(data: bytes) -> None:
    """Check a policy. Raises PolicyInvalid."""
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyInvalid(f"more than {POLICY_BYTES_MAX} bytes")
    try:
        policy = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"not TOML: {error}") from error
    _require_fields(policy, {"format", "version", "offline", "steps"}, "the policy")
    if policy.get("format") != FORMAT:
        raise PolicyInvalid(f"format: not {FORMAT}")
    version = policy.get("version")
    if type(version) is not int or not 0 <= version <= NUMBER_MAX:
        raise PolicyInvalid(f"version: 0 to {NUMBER_MAX}")
    offline = _table(policy.get("offline", {}), "offline")
    _require_fields(offline, _OFFLINE.keys(), "offline")
    for name, value in offline.items():
        if type(value) is not int or not 0 <= value <= _OFFLINE[name]:
            raise PolicyInvalid(f"offline.{name}: 0 to {_OFFLINE[name]}")
    for name, step in _table(policy.get("steps", {}), "steps").items():
        if not _NAME.fullmatch(name):
            raise PolicyInvalid(f"steps.{name}: a step's name is lower case letters, digits and hyphens")
        _require_step(_table(step, f"steps.{name}"), f"steps.{name}")


def _require_step(step: dict[str, Any], place: str) -> None:
    _require_fields(step, _STEP, place)
    for name in ("verified", "provisional"):
        for kind in _texts(step.get(name, []), f"{place}.{name}"):
            if not _KIND.fullmatch(kind):
                raise PolicyInvalid(f"{place}.{name}: {kind!r} is not of the form family.static|dynamic|any")
    for word in _texts(step.get("checked", []), f"{place}.checked"):
        if word not in CHECKS:
            raise PolicyInvalid(f"{place}.checked: {word!r} is none of {', '.join(sorted(CHECKS))}")
    if "confirm" in step and step["confirm"] not in sorted(CONFIRMED_BY):
        raise PolicyInvalid(f"{place}.confirm: one of {', '.join(sorted(CONFIRMED_BY))}")
    _texts([step[name] for name in ("med_step", "scene") if name in step], f"{place}: med_step, scene")


def _require_fields(table: dict[str, Any], known: Any, place: str) -> None:
    if unknown := sorted(table.keys() - known):
        raise PolicyInvalid(f"{place}: terminals know no {', '.join(unknown)}")


def _table(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyInvalid(f"{place}: not a table")
    return value


def _texts(value: object, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise PolicyInvalid(f"{place}: not texts")
    return value
