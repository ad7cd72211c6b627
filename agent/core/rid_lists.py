"""Which cards of one key an issuer has revoked, by their revocation ids (SMART Health Cards Framework, "Revocation").

The law: a list that is malformed in anything is no list. No card of its key can be vouched for then, and the rest of
the trust list goes on.
"""

import re
from typing import NamedTuple

RIDS_MAX = 100_000  # of one list
RID_CHARACTERS_MAX = 24
COUNTER_MAX = 2**63 - 1
METHOD = "rid"
RID = re.compile(rf"[A-Za-z0-9_-]{{1,{RID_CHARACTERS_MAX}}}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class RidList(NamedTuple):
    """One issuer's list for one key. counter: how often it was updated, 0 where the list is malformed.

    until_s: rid -> the instant up to which cards issued with it are revoked; None: all of them.
    why_invalid: what is malformed, without the list's content; None for a list that can be used.
    """

    family: str
    issuer: str
    key_id: bytes
    counter: int
    until_s: dict[str, int | None]
    why_invalid: str | None = None

    def has(self, rid: str, issued_at_s: float) -> bool:
        """Say whether a card with this id, issued at that instant, is revoked."""
        if rid not in self.until_s:
            return False
        until_s = self.until_s[rid]
        return until_s is None or issued_at_s <= until_s


def read_rid_list(family: str, issuer: str, key_id: bytes, method: object, counter: object, rids: object) -> RidList:
    """Read a list as its issuer published it, kid aside. Never raises: what is malformed is said in the value."""
    if method != METHOD:
        why = "its method is not rid"
    elif type(counter) is not int or not 1 <= counter <= COUNTER_MAX:
        why = "its counter is not a whole number from 1"
    elif isinstance(found := _read_rids(rids), str):
        why = found
    else:
        return RidList(family, issuer, key_id, counter, found)
    return RidList(family, issuer, key_id, 0, {}, why)


def _read_rids(rids: object) -> dict[str, int | None] | str:
    if not isinstance(rids, list) or len(rids) > RIDS_MAX:
        return f"its rids are not a list of at most {RIDS_MAX}"
    found = dict[str, int | None]()
    for entry in rids:
        if type(entry) is not str:
            return "a rid that is not a text"
        rid, dot, seconds = entry.partition(".")
        if not RID.fullmatch(rid):
            return f"a rid that is not 1 to {RID_CHARACTERS_MAX} characters of base64url"
        if dot and not _SECONDS.fullmatch(seconds):
            return "a timestamp that is not whole seconds"
        if rid in found:
            return "a rid twice"
        found[rid] = int(seconds) if dot else None
    return found
