"""What has been revoked: cards, keys and health certificates, as prefixes of SHA-256. Look-ups only.

Whether the bytes may be believed (TUF) is for the trust store.
"""

import hashlib
import sys
from array import array
from bisect import bisect_left
from itertools import pairwise

REVOKED_BYTES_MAX = 16 * 1024 * 1024  # 2 million entries
REVOKED_PREFIX_BYTES = 8
_STARTS = 4_096
_REST_BITS = 52


class RevocationsInvalid(Exception):
    """The revocation list cannot be used; the message says what is wrong."""


class RevocationList:
    """What is revoked: sorted 8-byte prefixes of SHA-256, 8 bytes each in memory.

    A look-up is a binary search among those that share its first 12 bits: 244 of a million.
    """

    __slots__ = ("_card", "_dcc", "_kids", "_prefixes", "_starts")

    def __init__(self, prefixes: "array[int]") -> None:
        self._prefixes = prefixes
        self._starts = [bisect_left(prefixes, first << _REST_BITS) for first in range(_STARTS + 1)]
        self._kids: dict[tuple[str, bytes], bool] = {}  # answers given, one for each trusted key in use
        self._card = hashlib.sha256(b"card")  # a copy costs half of a new one: OpenSSL looks the algorithm up anew
        self._dcc = hashlib.sha256(b"dcc")

    def __len__(self) -> int:
        return len(self._prefixes)

    def has_card(self, card: bytes) -> bool:
        """Say whether the card of these 32 raw bytes is revoked."""
        digest = self._card.copy()
        digest.update(card)
        return self._has(digest.digest())

    def has_dcc(self, hash_: bytes) -> bool:
        """Say whether a health certificate is revoked by one of its hashes, 16 bytes as the EU's lists have them."""
        digest = self._dcc.copy()
        digest.update(hash_)
        return self._has(digest.digest())

    def has_kid(self, family: str, key_id: bytes) -> bool:
        """Say whether a family's key is revoked. Ask only about keys of the trust list: the answers are kept."""
        answer = self._kids.get((family, key_id))
        if answer is None:
            answer = self._has(hashlib.sha256(b"kid" + family.encode() + b"\x00" + key_id).digest())
            self._kids[family, key_id] = answer
        return answer

    def _has(self, digest: bytes) -> bool:
        prefix = int.from_bytes(digest[:REVOKED_PREFIX_BYTES], "big")
        first = prefix >> _REST_BITS
        end = self._starts[first + 1]
        at = bisect_left(self._prefixes, prefix, self._starts[first], end)
        return at < end and self._prefixes[at] == prefix


def parse_revoked(data: bytes) -> RevocationList:
    """Read revoked.bin: 8-byte prefixes in ascending order, none twice. Raises RevocationsInvalid."""
    if len(data) > REVOKED_BYTES_MAX:
        raise RevocationsInvalid(f"the revocation list has {len(data)} bytes; at most {REVOKED_BYTES_MAX} are read")
    if len(data) % REVOKED_PREFIX_BYTES:
        raise RevocationsInvalid(f"the revocation list has {len(data)} bytes: not a multiple of {REVOKED_PREFIX_BYTES}")
    prefixes = array("Q", data)
    if sys.byteorder == "little":
        prefixes.byteswap()
    if any(here >= following for here, following in pairwise(prefixes)):
        raise RevocationsInvalid("the revocation list is not in ascending order")
    return RevocationList(prefixes)
