"""A text of real size for each family, all invented: what benchmarks measure and what mutation begins with.

A family without one fails a test, but those of OF_A_SITE, which a site's configuration makes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.scan import Scan
from fuzz.ehc import family as ehc
from fuzz.health_certificates import hcert, shc
from fuzz.identity_codes import aadhaar, vds_nc
from fuzz.judging import scan_of
from fuzz.signed import SignedFamily

_CARD = hashlib.sha256(b"an invented card of the fuzzer").hexdigest()

SIGNED: Mapping[str, SignedFamily] = {made.name: made for made in (ehc(), hcert(), shc(), aadhaar(), vds_nc())}


@dataclass(frozen=True, slots=True)
class Example:
    """A text, and the AIM id its scanner tells where the family goes by it."""

    text: str
    aim: str | None = None

    @property
    def scan(self) -> Scan:
        """Return it as a scanner gives it."""
        return scan_of(self.text.encode(), self.aim)


_UNSIGNED: Mapping[str, tuple[Example, ...]] = {
    "national": tuple(Example(_CARD + tail) for tail in (f":0:{'5e' * 16}", ":1", ":1::4420", "")),
    "drug-trace": (Example("81234567890123456784"),),
    "gs1": (
        Example("010460043993125621SCANWARD-0001\x1d17301231\x1d10LOT-42", "]d2"),
        Example("https://id.gs1.org/01/04600439931256/10/LOT-42/21/SCANWARD-0001?17=301231"),
        Example("4600439931256", "]E0"),
    ),
    "udi-ma": (Example("MA.156.M0.100345.LOT42.SN0001"),),
    "e-prescription": (
        Example(json.dumps({"urls": [f"Task/160.000.000.000.{n:03}.00/$accept?ac={_CARD}" for n in range(3)]})),
    ),
    "insurance": (Example("4240000000000000000000000000"),),
    "wechat-pay": (Example("134567890123456789"),),
    "alipay": (Example("281234567890123456"),),
    "unionpay": (Example("6212345678901234567"),),
    "resident-id": (Example("11010519491231002X"),),
    "covid-code": (Example("https://h5.dingtalk.com/healthAct/index.html?code=0000000000000000"),),
}

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    **{name: tuple(map(Example, family.texts)) for name, family in SIGNED.items()},
    **_UNSIGNED,
}
OF_A_SITE = frozenset({"hospital-card"})
_START_CHARACTERS = 12
_FILLS = (
    "0", "9", "A", "a", ":", "/", " ", "(", "[", "{", '{"a":', ".", "\x1d", "]d2", "%", "0:", "01", "药", "\x00", "\n",
    "i", '"',
)  # fmt: skip
_ENDS = ("", "!", "\n", "x", "药")


def adversarial(size: int) -> Iterator[str]:
    """Yield texts of about so many bytes that look like a family for as long as they can, and end otherwise."""
    texts = [example.text for examples in EXAMPLES.values() for example in examples]
    for start in ("", *dict.fromkeys(text[:_START_CHARACTERS] for text in texts)):
        for fill in _FILLS:
            body = (start + fill * size).encode()
            for end in _ENDS:
                yield body[: size - len(end.encode())].decode("utf-8", "ignore") + end
    for text in texts:
        yield (text * (size // len(text) + 1))[:size]
