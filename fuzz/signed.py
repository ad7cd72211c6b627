"""Targets of the signed families: the first byte says which layer the rest is put in, so all inner layers are reached.

Each has texts of its own that verify. What is edited outside the signature must not verify as anything else; what is
signed anew may, and then must keep to the family's own rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Outcome
from fuzz.choices import Choices, edited
from fuzz.issuers import NOT_AFTER_S, NOT_BEFORE_S, Seal
from fuzz.judging import judged, require_discreet, require_unforged, scan_of
from fuzz.target import Finding, Target, fail

Layer = Callable[[bytes], str]
"""A fuzzer's bytes -> a text of the family, all layers outside of them as they must be. ValueError: not this one."""


@dataclass(frozen=True, slots=True)
class SignedFamily:
    """What there is to fuzz in one family.

    texts: verify as they are. layers: see Layer. inner: what the layers' fuzzing begins with, (layer, bytes).
    may_verify: what the standard says of the signed bytes and of the claims, once this key has said yes.
    people: what the texts say of a person, which nobody may see who did not ask for it.
    """

    name: str
    trust: Trust
    seals: Sequence[Seal]
    texts: Sequence[str]
    signed_of: Callable[[str], bytes]
    layers: Sequence[Layer]
    inner: Sequence[tuple[int, bytes]]
    may_verify: Callable[[bytes, Seal, Claims], bool]
    people: Sequence[str]
    words: Sequence[bytes] = ()

    def target(self) -> Target:
        """Return the target. Raises Finding where a text of its own does not verify: it would fuzz nothing."""
        for text in self.texts:
            _, verdict = judged(scan_of(text.encode()), self.trust, self.seals)
            if verdict.outcome is not Outcome.VERIFIED:
                raise Finding(f"{self.name}: the fuzzer's own code is refused, {verdict.reason}")
            require_discreet(text, self.trust, self.people)
        whole = [bytes((0,)) + text.encode() for text in self.texts]
        edits = [bytes((1, number, 0, 0, 0, 40, 65)) for number in range(len(self.texts))]
        inner = [bytes((2 + layer,)) + data for layer, data in self.inner]
        return Target(self.name, self.run, [*whole, *edits, *inner], self.words, prepare=self.text)

    def run(self, text: bytes) -> None:
        """Execute once."""
        read, verdict = judged(scan_of(text), self.trust, self.seals)
        if verdict.outcome is Outcome.VERIFIED and verdict.family == self.name:
            require_unforged(read, verdict, self.seals, self.signed_of)
            for seal in self.seals:
                for message in seal.vouched:
                    self._require_allowed(message, seal, verdict.claims)

    def _require_allowed(self, message: bytes, seal: Seal, claims: Claims) -> None:
        if claims.issuer != seal.issuer:
            fail(f"{self.name} is verified as another issuer's than whose key signed it")
        if claims.issued_at_s is not None and not NOT_BEFORE_S <= claims.issued_at_s <= NOT_AFTER_S:
            fail(f"{self.name} is verified with a key that was not valid when it was issued")
        try:
            is_allowed = self.may_verify(message, seal, claims)
        except Exception as error:  # noqa: BLE001  # whatever it is, the standard does not read what was signed
            fail(f"{self.name} is verified, and what was signed is not of its form: {type(error).__name__}")
        if not is_allowed:
            fail(f"{self.name} is verified against its own rules")

    def text(self, data: bytes) -> bytes | None:
        """Return the text that a fuzzer's bytes make, all layers around them; None where they make none."""
        how = data[0] % (2 + len(self.layers)) if data else 0
        if how == 0:
            return data[1:]
        if how == 1:
            choices = Choices(data[1:])
            return edited(self.texts[choices.byte() % len(self.texts)].encode(), choices)
        try:
            return self.layers[how - 2](data[1:]).encode()
        except ValueError:
            return None
