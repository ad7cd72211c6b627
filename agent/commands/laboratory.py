"""What `explain` and `verify` share: codes, trust and time given by hand, outside a running agent.

The trust list taken here is unsigned: whoever uses it must be told.
"""

import argparse
import os
import re
import stat
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.codes import UNKNOWN, UNREADABLE, recognise
from agent.core.legible import legible
from agent.core.scan import Scan
from agent.core.steps import POLICY_BYTES_MAX, Policy, PolicyInvalid, parse_policy
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import TRUST_LIST_BYTES_MAX, Trust, TrustListInvalid
from agent.core.verdict import Claims, CodeType
from agent.core.verification import describe, is_bearer

UNSIGNED_NOTICE = "laboratory use: the trust list is an unsigned file, so this verdict proves nothing to anyone else"
INSTANT_MS_MAX = 253_402_300_799_999  # the end of the year 9999
_TYPES = {type_: type_.name.lower() for type_ in CodeType}  # Python 3.11 is slow to name them
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


class InputUnreadable(Exception):
    """A file given on the command line cannot be used; the message is one line for the person who gave it."""


def read_file(path: Path, bytes_max: int) -> bytes:
    """Return a regular file's bytes; a pipe or a device could keep us waiting for ever. Raises InputUnreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InputUnreadable(f"{path}: is {'a directory' if stat.S_ISDIR(mode) else 'no regular file'}")
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InputUnreadable(f"{path}: {error.strerror or 'cannot be read'}") from error
    if len(data) > bytes_max:
        raise InputUnreadable(f"{path}: more than {bytes_max} bytes")
    return data


def read_trust(path: Path) -> Trust:
    """Return the trust of an unsigned trust-list.json, without policy and revocations. Raises InputUnreadable."""
    try:
        return parse_trust(read_file(path, TRUST_LIST_BYTES_MAX))
    except TrustListInvalid as error:
        raise InputUnreadable(f"{path}: {error}") from error


def parse_trust(data: bytes) -> Trust:
    """Return the trust of an unsigned trust list. Raises TrustListInvalid."""
    trust_list = parse_trust_list(data, build_key, read_certificate)
    return Trust(trust_list, policy=None, revoked=None, expires_ms=None, laboratory=True)


def read_policy(path: Path) -> Policy:
    """Return the policy of a TOML file. Raises InputUnreadable."""
    try:
        return parse_policy(read_file(path, POLICY_BYTES_MAX))
    except PolicyInvalid as error:
        raise InputUnreadable(f"{path}: {error}") from error


def instant(text: str) -> Interval:
    """Read --now. Raises ArgumentTypeError, which says what is wanted."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time between 1970 and 9999: give Unix seconds (1795248000) or RFC 3339 with its zone "
            "(2026-11-21T08:00:00Z)"
        ) from error


def parse_instant(text: str) -> Interval:
    """Return an instant, Unix seconds or RFC 3339 with a zone, as an interval of no width. Raises ValueError."""
    if _UNIX_SECONDS.fullmatch(text):
        return interval_at(int(Decimal(text) * 1000))
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant needs a zone, e.g. Z or +08:00")
    return interval_at(int(Decimal(repr(at.timestamp())) * 1000))


def interval_at(instant_ms: int) -> Interval:
    """Return the interval of no width. Raises ValueError before 1970 or after 9999."""
    if not 0 <= instant_ms <= INSTANT_MS_MAX:
        raise ValueError("an instant lies between 1970 and 9999")
    return Interval(instant_ms, instant_ms)


def choose(scans: list[Scan]) -> int:
    """Return which of a picture's scans to look at: the first that is of a known family, else the first."""
    families = [recognise(scan).family for scan in scans]
    return next((at for at, family in enumerate(families) if family not in (UNKNOWN, UNREADABLE)), 0)


def present(family: str, claims: Claims, *, clear: bool) -> dict[str, object]:
    """Return claims for JSON. Unless `clear`, a card shows its first four digits, a token and a text nothing at all.

    What is not clear is for a terminal, too: no character of a code steers it.
    """
    shown: dict[str, object] = {}
    if claims.type is not None:
        shown["type"] = _TYPES[claims.type]
    if claims.issuer is not None:
        shown["issuer"] = claims.issuer if clear else legible(claims.issuer)
    if claims.key_id is not None:
        shown["kid"] = claims.key_id.hex()
    if claims.issued_at_s is not None:
        shown["iat"] = claims.issued_at_s
    if claims.expires_at_s is not None:
        shown["exp"] = claims.expires_at_s
    if claims.replay_id is not None:
        shown["replay_id"] = claims.replay_id.hex()
    if claims.card is not None:
        shown["card"] = claims.card.hex().upper() if clear else f"{claims.card[:2].hex().upper()}…"
    if claims.token is not None:
        shown["token"] = claims.token.hex().upper() if clear else "…"
    if claims.text is not None:
        is_shown = clear and not is_bearer(family, claims.text)
        shown["text"] = claims.text.decode("utf-8", "backslashreplace") if is_shown else "…"
    if claims.item is not None:
        shown["item"] = claims.item
    for fact in describe(family, claims):
        shown[fact.name] = fact.value if clear else _masked(fact.value) if fact.is_personal else legible(fact.value)
    return shown


def _masked(text: str) -> str:
    """Return a text's first character, whatever it is, as one."""
    return f"{legible(text[:1])}…"
