"""Payment codes that patients hold up by mistake: WeChat Pay, Alipay, UnionPay QR. Who has the digits can take money.

The law: told apart so that a person can be told; never asked about, never shown, kept only sealed. A family each; what
they look like is the table below. An 18-digit text that is a resident's id is no payment code (resident_id.py): about
one WeChat code in 18,000 looks like one, and is as secret there.

Verification:

1. Unverifiable, and no platform of a hospital is to be asked about it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.core.codes.family import Family, Recognise, Verify
from agent.core.codes.gs1_symbol import says_gs1
from agent.core.codes.resident_id import is_resident_id
from agent.core.codes.unsigned import unverifiable
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Trace, Verdict


@dataclass(frozen=True, slots=True)
class Shape:
    """Digits alone: how many, and the first two. As the payment services tell merchants to route codes."""

    digits_min: int
    digits_max: int
    prefixes: frozenset[str]
    but_not: Callable[[str], bool] = lambda _text: False

    def fits(self, text: str) -> bool:
        """Say whether a text has this shape."""
        return (
            self.digits_min <= len(text) <= self.digits_max
            and text[:2] in self.prefixes
            and text.isascii()
            and text.isdigit()
            and not self.but_not(text)
        )


def _from_to(first: int, last: int) -> frozenset[str]:
    return frozenset(str(prefix) for prefix in range(first, last + 1))


SHAPES: dict[str, Shape] = {
    "wechat-pay": Shape(18, 18, _from_to(10, 15), but_not=is_resident_id),
    "alipay": Shape(16, 24, _from_to(25, 30)),
    "unionpay": Shape(19, 19, _from_to(62, 62)),
}


def is_payment(text: str) -> bool:
    """Say whether a text has the shape of any payment code."""
    return any(shape.fits(text) for shape in SHAPES.values())


def _recognise(name: str, shape: Shape) -> Recognise:
    def recognise(text: str, scan: Scan) -> Code | None:
        return Code(name, text) if shape.fits(text) and not says_gs1(scan) else None

    return recognise


def _verify(name: str) -> Verify:
    def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
        # 1
        return unverifiable(name, code.text, trace, saw="digits of a payment code", needs_online=False)

    return verify


FAMILIES = tuple(Family(name, _recognise(name, shape), _verify(name), is_bearer=True) for name, shape in SHAPES.items())
