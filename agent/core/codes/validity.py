"""Keys, time and revocation as signed families judge them: against an interval, never an instant (trust-and-time.md).

Only what is certain refuses. What the terminal cannot know is left to the verdict's `unchecked`.
"""

from agent.core.codes.family import Refused
from agent.core.revocation import RevocationList
from agent.core.time_interval import Interval
from agent.core.trust_list import END_OF_TIME_S, Trust, TrustedKey
from agent.core.verdict import Claims

SECONDS_MAX = END_OF_TIME_S
"""Of an instant in a code: milliseconds of our days are far beyond."""
SKEW_GRACE_S = 15
WIDTH_MS_MAX = 10_000  # a wider interval cannot tell a code that lives 60 s from an expired one


def seconds_of(value: object, name: str) -> float:
    """Return a NumericDate (RFC 7519 §2), which may have a fraction. Raises Refused, which names the claim.

    `type(x) is`, not isinstance: a bool is an int to Python.
    """
    if (type(value) is int or type(value) is float) and 0 <= value <= SECONDS_MAX:
        return value
    raise Refused("decode.claims", detail=f"{name} is not seconds up to the year 9999")


def key_of(family: str, issuer: str, key_id: bytes, alg: str, claims: Claims, trust: Trust | None) -> TrustedKey:
    """Find the trust list's key of this issuer and key id. Raises Refused. A key of another issuer is no key."""
    if trust is None:
        raise Refused("key.no-trust-list", claims, detail="no trust list")
    trusted = trust.trust_list.find(family, issuer, key_id)
    if trusted is None:
        is_known = trust.trust_list.of_issuer(family, issuer)
        reason = "key.unknown" if is_known else "key.unknown-issuer"
        raise Refused(reason, claims, detail="the trust list has no such key of this issuer")
    if trusted.alg != alg:
        raise Refused("key.algorithm-mismatch", claims, detail=f"the key is for {trusted.alg}")
    return trusted


def is_time_vague(now: Interval) -> bool:
    """Say whether the time is known too badly to vouch for an expiry."""
    return now.latest_ms is None or now.latest_ms - now.earliest_ms > WIDTH_MS_MAX


def require_key_valid(key: TrustedKey, claims: Claims, now: Interval) -> None:
    """Check that the key is valid now and was when it signed. Raises Refused."""
    latest_ms = now.latest_ms
    if latest_ms is not None and latest_ms < key.not_before_s * 1000:
        raise Refused("key.not-yet-valid", claims, detail="the key is not valid yet")
    if now.earliest_ms > key.not_after_s * 1000:
        raise Refused("key.expired", claims, detail="the key is no longer valid")
    issued_at_s = claims.issued_at_s
    if issued_at_s is not None and not key.not_before_s <= issued_at_s <= key.not_after_s:
        raise Refused("key.not-valid-at-issue", claims, detail="the key was not valid at iat")


def require_in_time(claims: Claims, now: Interval) -> None:
    """Check iat and exp, with the skew grace. Raises Refused."""
    expires_at_s, issued_at_s, latest_ms = claims.expires_at_s, claims.issued_at_s, now.latest_ms
    if expires_at_s is not None and now.earliest_ms > (expires_at_s + SKEW_GRACE_S) * 1000:
        raise Refused("time.expired", claims, detail="certainly later than exp")
    if issued_at_s is not None and latest_ms is not None and latest_ms < (issued_at_s - SKEW_GRACE_S) * 1000:
        raise Refused("time.future", claims, detail="certainly earlier than iat")


def is_expiry_certain(claims: Claims, now: Interval) -> bool:
    """Say whether a credential's end is certain to lie ahead: time known closely, none, or so far off."""
    if claims.expires_at_s is None or not is_time_vague(now):
        return True
    return now.latest_ms is not None and now.latest_ms <= (claims.expires_at_s + SKEW_GRACE_S) * 1000


def require_begun(not_before_s: int, claims: Claims, now: Interval) -> None:
    """Check a code's own beginning where it has one beside iat, with the skew grace. Raises Refused."""
    if now.latest_ms is not None and now.latest_ms < (not_before_s - SKEW_GRACE_S) * 1000:
        raise Refused("time.future", claims, detail="certainly earlier than the code's beginning")


def is_begun_certain(not_before_s: int, now: Interval) -> bool:
    """Say whether a code's own beginning is certain to have come, with the skew grace."""
    return now.earliest_ms >= (not_before_s - SKEW_GRACE_S) * 1000


def is_key_life_certain(key: TrustedKey, now: Interval) -> bool:
    """Say whether the key's end is certain to lie ahead, or not to matter: known closely, or an entry without one."""
    if key.not_after_s >= END_OF_TIME_S or not is_time_vague(now):
        return True
    return now.latest_ms is not None and now.latest_ms <= key.not_after_s * 1000


def require_unrevoked(revoked: RevocationList, claims: Claims, key: TrustedKey | None = None) -> None:
    """Check the signing key, if there is one, and the card. Raises Refused."""
    if key is not None and revoked.has_kid(key.family, key.key_id):
        raise Refused("revoked.key", claims, detail="the key is revoked")
    if claims.card is not None and revoked.has_card(claims.card):
        raise Refused("revoked.card", claims, detail="the card is revoked")
