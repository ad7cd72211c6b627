"""Whether a text that no family claims may still be a secret: a payment code with a blank, an id in full-width digits.

The law: who has to be told apart by shape is told apart generously here, for it only costs that a text is not shown. As
many digits as the shortest bearer secret less one, of any script and wherever they stand, make a text one. Product
codes are shown, unless their digits are exactly a bearer's: a reader may say GS1 of what is none.
"""

from agent.core.codes.insurance import is_voucher
from agent.core.codes.payments import is_payment
from agent.core.codes.resident_id import is_resident_id

DIGITS_MIN = 15  # Alipay's shortest code has 16, with one of them lost; the oldest resident's ids had 15
_CHARSETS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


def may_be_secret(data: bytes) -> bool:
    """Say whether bytes of no family hold as many digits as a bearer secret, as any character set reads them."""
    return any(_holds_digits(data.decode(charset, "ignore")) for charset in _CHARSETS)


def is_shaped_like_secret(data: bytes) -> bool:
    """Say whether bytes are exactly what a payment code, a voucher or a resident's id looks like."""
    text = data.decode("ascii", "replace")
    return is_payment(text) or is_voucher(text) or is_resident_id(text)


def _holds_digits(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= DIGITS_MIN
