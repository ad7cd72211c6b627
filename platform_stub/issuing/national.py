"""National codes of this platform: mints their text, and says by the text alone what it is worth.

A one-time token is 16 bytes: expiry in seconds (4), nonce (4), and 8 of an HMAC that binds both to the card; so a
forged or an expired one is known without a look-up. Whether it was used is the database's to know. Cards are kept as
hashes.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from platform_stub.files import write_file, write_new_file
from platform_stub.issuing.issuer import CARD_BYTES, national_dynamic_text, national_static_text
from platform_stub.keys import KeyUnusable
from platform_stub.layout import Layout

KEY_FILE = "national.key"
CARDS = "cards.bin"
CARDS_MAX = 100_000
LIFE_S_MAX = 120
_KEY_BYTES = 32
_HASH_BYTES = 32
_SHAPE = re.compile(
    r"([0-9A-Fa-f]{64})"  # the card
    r"(?::1(?:::[!-9;-~]{1,32})?"  # static, with an issuer perhaps
    r"|:0:([0-9A-Fa-f]{32})(?::[!-9;-~]{1,32})?)?"  # dynamic, with its token
)
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"


class Finding(IntEnum):
    """online.cddl, verification 3."""

    GENUINE = 0
    NOT_GENUINE = 1
    UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a code is worth. once: of a genuine one-time code the hash to use it up by, and when it expires (ms)."""

    finding: Finding
    reason: str
    name: str | None = field(default=None, repr=False)
    once: tuple[bytes, int] | None = None


class NationalCodes:
    """The national codes of a platform directory. Raises KeyUnusable."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cards_path = layout.directory / CARDS
        self._key = _read_or_make_key(layout.keys / KEY_FILE)
        self._cards: frozenset[bytes] = frozenset()
        self._cards_stamp: tuple[int, int] | None = None

    def mint_static(self, card: bytes) -> str:
        """Return a static text, and know the card from now on. Raises ValueError where there are too many cards."""
        text = national_static_text(card)
        self._learn(card)
        return text

    def mint_dynamic(self, card: bytes, at_s: int, life_s: int = 60) -> str:
        """Return a dynamic text, good once and for `life_s`. Raises ValueError where a value does not fit."""
        if not (0 < life_s <= LIFE_S_MAX and 0 <= at_s + life_s < 2**32):
            raise ValueError(f"a dynamic code lives 1 to {LIFE_S_MAX} s")
        dated = (at_s + life_s).to_bytes(4) + secrets.token_bytes(4)
        return national_dynamic_text(card, dated + self._mac(card, dated))

    def judge(self, code: bytes, now_s: int) -> Judgement:
        """Say what a code is worth now; whether a one-time code was used is left to the caller."""
        found = _SHAPE.fullmatch(code.decode("ascii", "replace"))
        if found is None:
            return Judgement(Finding.UNDECIDED, "online.not-ours")
        card = bytes.fromhex(found[1])
        if self._is_revoked(card):
            return Judgement(Finding.NOT_GENUINE, "online.revoked")
        if found[2] is None:
            if not self._is_known(card):
                return Judgement(Finding.NOT_GENUINE, "online.unknown-card")
            return Judgement(Finding.GENUINE, "ok", masked_name(card))
        token = bytes.fromhex(found[2])
        dated, mac = token[:8], token[8:]
        if not hmac.compare_digest(mac, self._mac(card, dated)):
            return Judgement(Finding.NOT_GENUINE, "online.unknown-token")
        expires_at_s = int.from_bytes(dated[:4])
        if now_s > expires_at_s:
            return Judgement(Finding.NOT_GENUINE, "online.expired")
        once = (hashlib.sha256(card + token).digest(), expires_at_s * 1000)
        return Judgement(Finding.GENUINE, "ok", masked_name(card), once)

    def _mac(self, card: bytes, dated: bytes) -> bytes:
        if len(card) != CARD_BYTES:
            raise ValueError(f"a card id has {CARD_BYTES} bytes")
        return hmac.digest(self._key, b"scanward-national-token-1" + card + dated, "sha256")[:8]

    def _learn(self, card: bytes) -> None:
        with self._layout.locked("cards"):
            known = self._read_cards()
            if len(known) >= CARDS_MAX:
                raise ValueError(f"this platform knows {CARDS_MAX} cards already")
            write_file(self._cards_path, b"".join(sorted(known | {_hash_of(card)})), mode=0o600)

    def _is_known(self, card: bytes) -> bool:
        return _hash_of(card) in self._read_cards()

    def _is_revoked(self, card: bytes) -> bool:
        revoked = self._layout.revoked.read_bytes()
        prefix = _hash_of(card)[:8]
        return any(revoked[at : at + 8] == prefix for at in range(0, len(revoked), 8))

    def _read_cards(self) -> frozenset[bytes]:
        """Return the hashes of the known cards; the file is read again where it has changed."""
        try:
            status = self._cards_path.stat()
        except FileNotFoundError:
            return frozenset()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._cards_stamp:
            data = self._cards_path.read_bytes()
            self._cards = frozenset(data[at : at + _HASH_BYTES] for at in range(0, len(data), _HASH_BYTES))
            self._cards_stamp = stamp
        return self._cards


def masked_name(card: bytes) -> str:
    """Return the masked name of the invented person who holds a card: a surname, then one or two stars."""
    draw = hashlib.sha256(b"scanward invented name: " + card).digest()
    return _SURNAMES[draw[0] % len(_SURNAMES)] + "*" * (1 + draw[1] % 2)


def _hash_of(card: bytes) -> bytes:
    return hashlib.sha256(b"card" + card).digest()  # its first 8 bytes are the card's entry in revoked.bin


def _read_or_make_key(path: Path) -> bytes:
    """Return the key of the tokens, made where there is none: a directory may be older than they are."""
    try:
        if not path.exists():
            write_new_file(path, secrets.token_bytes(_KEY_BYTES))  # where another process was quicker, its key stays
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
    try:
        key = path.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
    if len(key) != _KEY_BYTES:
        raise KeyUnusable(f"{path}: not a key of {_KEY_BYTES} bytes")
    return key
