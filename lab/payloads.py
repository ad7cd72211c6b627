"""What is scanned: made-up payloads of every kind that terminals meet, each one different. Nothing of a person."""

import hashlib
from collections.abc import Callable

BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DIGITS = "0123456789"
HAN = "健康码扫描终端医院挂号收费药房检验记录查询核验通过重试"
GS = "\x1d"


def drawn(alphabet: str, size: int, seed: str) -> str:
    """Return `size` characters that look drawn and are the same for the same seed."""
    stream = hashlib.shake_256(seed.encode()).digest(2 * size)
    return "".join(alphabet[(stream[2 * i] << 8 | stream[2 * i + 1]) % len(alphabet)] for i in range(size))


def ehc1(seed: str) -> str:
    """A health code's form on our own wire."""
    return "EHC1:" + drawn(BASE45, 130, seed)


def hc1(seed: str) -> str:
    """An EU certificate's form: upper case, digits and what base 45 adds."""
    return "HC1:" + drawn(BASE45, 150, seed)


def shc(seed: str) -> str:
    """A SMART health card's form: digits only."""
    return "shc:/" + drawn(DIGITS, 180, seed)


def vds_nc(seed: str) -> str:
    """A visible digital seal for non-constrained environments: JSON, so braces, quotes and brackets."""
    return (
        '{"data":{"hdr":{"is":"UTO","t":"icao.vacc","v":1},"msg":{"uvci":"' + drawn(DIGITS, 12, seed) + '",'
        '"ve":[{"des":"XM68M6","dis":"RA01.0"}]}},"sig":{"alg":"ES256","sigvl":"' + drawn(BASE64URL, 43, seed) + '"}}'
    )


def gs1(seed: str) -> str:
    """A drug's trace code: element strings with the separator between."""
    return f"010950600013435217261231{GS}10{drawn('ABCDEFGHJK' + DIGITS, 8, seed)}{GS}21{drawn(DIGITS, 12, seed)}"


def aim(seed: str) -> str:
    """A scan that begins with an AIM id, as scanners send it that were told to."""
    return "]C1" + drawn(BASE45, 40, seed)


def url(seed: str) -> str:
    """An address in mixed case, which a wrong Caps Lock turns around."""
    return f"https://Example.ORG/Check?Id={drawn(BASE64URL, 24, seed)}&Next=%2Fq#Z"


def chinese(seed: str) -> str:
    """A line in Chinese."""
    return drawn(HAN, 16, seed) + drawn(DIGITS, 8, seed)


def accented(seed: str, letters: str) -> str:
    """Return a name with letters of that language that are typed with a dead key."""
    return f"{drawn(letters, 8, seed)} {drawn(DIGITS, 6, seed)} {drawn(letters + 'aenorst', 8, seed + '.')}"


ASCII_KINDS: dict[str, Callable[[str], str]] = {
    "ehc1": ehc1, "hc1": hc1, "shc": shc, "vds-nc": vds_nc, "gs1": gs1, "aim": aim, "url": url,
}  # fmt: skip


def ascii_payloads(seed: str) -> list[tuple[str, bytes]]:
    """Return one payload of each kind that every channel carries."""
    return [(kind, make(f"{seed} {kind}").encode("ascii")) for kind, make in ASCII_KINDS.items()]


def chinese_payloads(seed: str) -> list[tuple[str, bytes]]:
    """Return the Chinese line as UTF-8 and as GB 18030."""
    text = chinese(seed)
    return [("utf-8", text.encode()), ("gb18030", text[::-1].encode("gb18030"))]


def all_payloads(seed: str) -> list[tuple[str, bytes]]:
    """Return one payload of each kind for a channel that carries bytes."""
    return ascii_payloads(seed) + chinese_payloads(seed)
