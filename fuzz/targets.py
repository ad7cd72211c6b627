"""All targets, by name: the parsers, then each family that is recognised."""

from collections.abc import Mapping, Sequence

from agent.core.codes import FAMILIES
from fuzz import imports, parsers, pieces
from fuzz.choices import Choices, edited
from fuzz.examples import EXAMPLES, SIGNED, Example
from fuzz.issuers import trust_of
from fuzz.judging import judged, scan_of
from fuzz.target import Target

_AIMS = (None, "]Q0", "]Q1", "]Q3", "]d1", "]d2", "]C0", "]C1", "]e0", "]E0", "]E4", "]z0", "]L0", "]A0", "]X0", "]I0")
_TRUST = trust_of(*(key for family in SIGNED.values() for key in family.trust.trust_list.keys))


def unsigned(name: str, examples: Sequence[Example]) -> Target:
    """Return the target of a family without a signature: texts as they come, and its own with a few changes."""
    plain = [example.text.encode() for example in examples]
    seals = [seal for family in SIGNED.values() for seal in family.seals]

    def run(data: bytes) -> None:
        how = data[0] if data else 0
        aim, body = _AIMS[how % len(_AIMS)], data[1:]
        if plain and how >= 0x80:
            choices = Choices(body)
            body = edited(plain[choices.byte() % len(plain)], choices)
        judged(scan_of(body, aim), _TRUST, seals)

    aims = [_AIMS.index(example.aim) for example in examples]
    whole = [bytes((aim,)) + text for aim, text in zip(aims, plain, strict=True)]
    edits = [bytes((0x80 + aim, number, 0, 0, 0, 9, 48)) for number, aim in enumerate(aims)]
    return Target(name, run, [*whole, *edits])


def targets() -> Mapping[str, Target]:
    """Return every target. "recognise" takes any text to every family."""
    everything = [example for examples in EXAMPLES.values() for example in examples]
    found = [*parsers.targets(), *pieces.targets(), *imports.targets(), unsigned("recognise", everything)]
    for family in FAMILIES:
        signed = SIGNED.get(family.name)
        found.append(signed.target() if signed else unsigned(family.name, EXAMPLES.get(family.name, ())))
    return {target.name: target for target in found}
