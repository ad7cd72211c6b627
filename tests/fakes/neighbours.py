"""Codes that are no health codes, invented from labels, by the published rules of each.

Nobody has these numbers but by chance: the region of the ids is one that is not given out, their birth dates are old.
"""

import hashlib
import json

SHAPES = {"wechat-pay": ("13", 18), "alipay": ("28", 18), "unionpay": ("62", 19), "insurance": ("424", 28)}


def digits(label: str, count: int) -> str:
    """Return digits that a label draws."""
    return str(int.from_bytes(hashlib.sha512(label.encode()).digest()))[3 : 3 + count]


def numbered(family: str, label: str = "invented") -> str:
    """Return a code of a family of digits."""
    head, count = SHAPES[family]
    return head + digits(f"{family} {label}", count - len(head))


def resident_id(label: str = "invented", *, region: str = "119999", born: str = "19010203") -> str:
    """Return an id: GB 11643 weighs its 17 digits by 2 to the power of their place from the right, modulo 11."""
    body = region + born + digits(label, 3)
    total = sum(int(digit) * 2 ** (17 - at) for at, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def prescription_id(label: str = "invented", kind: str = "160") -> str:
    """Return a prescription id: its 17 digits are one more than a multiple of 97 (ISO 7064, MOD 97-10)."""
    body = kind + digits(label, 12)
    whole = f"{body}{98 - int(body + '00') % 97:02}"
    return ".".join((whole[0:3], whole[3:6], whole[6:9], whole[9:12], whole[12:15], whole[15:17]))


def access_code(label: str = "invented") -> str:
    """Return the secret of one prescription."""
    return hashlib.sha256(f"access code {label}".encode()).hexdigest()


def task(label: str = "invented", kind: str = "160") -> str:
    """Return the path of one task."""
    return f"Task/{prescription_id(label, kind)}/$accept?ac={access_code(label)}"


def e_prescription(*labels: str) -> str:
    """Return the text of a token for these prescriptions."""
    return json.dumps({"urls": [task(label) for label in labels or ("invented",)]}, separators=(",", ":"))


COVID_CODE = (
    "https://h5.dingtalk.com/healthAct/index.html?qrCode=V2" + hashlib.sha256(b"invented").hexdigest()[:32] + "#/result"
)


def samples() -> dict[str, str]:
    """Return a text of each of these families; hospital cards are the site's own."""
    texts = {family: numbered(family) for family in SHAPES}
    return texts | {"resident-id": resident_id(), "e-prescription": e_prescription(), "covid-code": COVID_CODE}
