"""The token of a German e-prescription (gematik): JSON in a Data Matrix, one to three tasks with their access codes.

{"urls": ["Task/<prescription id>/$accept?ac=<64 hexadecimal digits>", ...]}. Unsigned. Whoever has the access code can
collect the medicine: a bearer secret. The law: what else the JSON holds is data and refused; no address is followed.

Verification, in this order; decode. names what is wrong:

1. At most 1,024 characters: over-long.
2. Strict JSON, one object: json. Its one name is "urls", a list of one to three texts: urls.
3. Each text is the path of a task with a prescription id and an access code, nothing before or behind: task.
4. The id's last two digits are right (ISO 7064, MOD 97-10), and no id comes twice: check-digits, urls.
5. Unverifiable. The platform could ask the prescription service.
"""

import re

from agent.core.codes.family import Fact, Family, Refused
from agent.core.codes.unsigned import unverifiable
from agent.core.formats.json_text import JsonInvalid, decode_object
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Code, Trace, Verdict

NAME = "e-prescription"
CHARACTERS_MAX = 1_024  # three tasks need 380
TASKS_MAX = 3
_BEGINNING = re.compile(r'[ \t\r\n]{0,8}\{[ \t\r\n]{0,8}"urls"[ \t\r\n]{0,8}:')
_TASK = re.compile(r"Task/([0-9]{3}(?:\.[0-9]{3}){4}\.[0-9]{2})/\$accept\?ac=[0-9A-Fa-f]{64}")


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise a JSON object whose first name is "urls"."""
    return Code(NAME, text) if _BEGINNING.match(text) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1
    if len(code.text) > CHARACTERS_MAX:
        raise Refused("decode.over-long", detail=f"more than {CHARACTERS_MAX} characters")
    # 2
    urls = _urls(code.text)
    # 3
    found = [_TASK.fullmatch(url) for url in urls]
    ids = tuple(match[1] for match in found if match is not None)
    if len(ids) != len(urls):
        raise Refused("decode.task", detail="not the path of a task with a prescription id and an access code")
    # 4
    if not all(_is_check_right(id_) for id_ in ids):
        raise Refused("decode.check-digits", detail="the check digits of a prescription id are wrong")
    if len(set(ids)) != len(ids):
        raise Refused("decode.urls", detail="a prescription twice")
    # 5
    saw = f"{len(ids)} prescription(s), each with an access code"
    return unverifiable(NAME, code.text, trace, saw=saw, needs_online=True, content=ids)


def describe(claims: Claims) -> tuple[Fact, ...]:
    """Return how many prescriptions there are, of which kind (the id's first three digits), and their ids."""
    match claims.content:
        case tuple() as ids:
            kinds = ", ".join(sorted({id_[:3] for id_ in ids}))
            named = (Fact(f"prescription {at}", id_, is_personal=True) for at, id_ in enumerate(ids, 1))
            return (Fact("prescriptions", str(len(ids))), Fact("kinds", kinds), *named)
    return ()


def _urls(text: str) -> list[str]:
    try:
        value = decode_object(text.encode("utf-8", "surrogatepass"))
    except JsonInvalid as error:
        raise Refused("decode.json", detail=str(error)) from error
    match value:
        case {"urls": list(urls), **rest} if not rest and 1 <= len(urls) <= TASKS_MAX:
            texts = [url for url in urls if isinstance(url, str)]
            if len(texts) == len(urls):
                return texts
    raise Refused("decode.urls", detail=f"not one list of 1 to {TASKS_MAX} texts alone")


def _is_check_right(prescription_id: str) -> bool:
    return int(prescription_id.replace(".", "")) % 97 == 1


FAMILY = Family(NAME, recognise, verify, describe, is_bearer=True)
