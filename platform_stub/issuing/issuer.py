"""Issues health codes: EHC1 under the platform's issuer keys, and the unsigned national texts. Time is passed in."""

import hashlib
import secrets
from pathlib import Path

from platform_stub import keys
from platform_stub.layout import Layout
from platform_stub.wire import cose
from platform_stub.wire.health_code import DYNAMIC, STATIC, HealthCode, write_code

CARD_BYTES = 32
TOKEN_BYTES = 16
CTI_BYTES = 8


def card_of(person: str) -> bytes:
    """Return the card id of an invented person: the same label, the same card."""
    return hashlib.sha256(b"scanward invented person: " + person.encode()).digest()


class Issuer:
    """Mints codes with the issuer keys of a platform directory. Raises KeyUnusable, LayoutInvalid."""

    def __init__(self, directory: Path) -> None:
        layout = Layout(directory)
        self.code = layout.read_issuer()
        self._keys: dict[str, cose.SigningKey] = {}
        for alg, name in keys.issuer_keys(layout.keys).items():
            key = keys.read_key(layout.keys, name)
            if not isinstance(key, cose.SigningKey) or keys.alg_of(key) != alg:
                raise keys.KeyUnusable(f"{layout.keys / name}.pem: not an {alg} key")
            self._keys[alg] = key

    def public_keys(self) -> list[tuple[bytes, cose.PublicKey]]:
        """Return (kid, public key) of every issuer key."""
        public = [key.public_key() for key in self._keys.values()]
        return [(keys.key_id(keys.spki_of(key)), key) for key in public]

    def mint_static(self, card: bytes, iat_s: int, exp_s: int | None = None, alg: str = "ES256") -> str:
        """Return a static code: it confirms identity, nothing else. Raises ValueError where a value does not fit."""
        return write_code(self._key(alg), HealthCode(self.code, STATIC, iat_s, exp_s, card, None))

    def mint_dynamic(
        self, card: bytes, iat_s: int, life_s: int = 60, alg: str = "ES256", cti: bytes | None = None
    ) -> str:
        """Return a dynamic code, good once and for `life_s`. Raises ValueError where a value does not fit."""
        cti = cti if cti is not None else secrets.token_bytes(CTI_BYTES)
        return write_code(self._key(alg), HealthCode(self.code, DYNAMIC, iat_s, iat_s + life_s, card, cti))

    def _key(self, alg: str) -> cose.SigningKey:
        try:
            return self._keys[alg]
        except KeyError:
            raise ValueError(f"no issuer key for {alg}; there are {', '.join(self._keys)}") from None


def national_static_text(card: bytes, issuer: str | None = None) -> str:
    """Return the unsigned static text `<64 hex>:1`, or `<64 hex>:1::<issuer>` as seen in Sichuan."""
    return f"{_card_hex(card)}:1" if issuer is None else f"{_card_hex(card)}:1::{issuer}"


def national_dynamic_text(card: bytes, token: bytes | None = None) -> str:
    """Return the unsigned dynamic text `<64 hex>:0:<32 hex>`; the token is opaque and made up where none is given."""
    token = token if token is not None else secrets.token_bytes(TOKEN_BYTES)
    if len(token) != TOKEN_BYTES:
        raise ValueError(f"a token has {TOKEN_BYTES} bytes")
    return f"{_card_hex(card)}:0:{token.hex().upper()}"


def _card_hex(card: bytes) -> str:
    if len(card) != CARD_BYTES:
        raise ValueError(f"a card id has {CARD_BYTES} bytes")
    return card.hex().upper()
