"""Where we differ from a suite on purpose: one case by its id, or all that have a property in the case itself.

The law: a difference without an entry here fails the run, and so does an entry that no longer meets one: the case is
there, and we agree with the suite. An entry whose cases are not in the data at all is not stale: half of each suite is
kept back from the developers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.result import Result, begins


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why we say `got` (in whole words, as Result.expected) where the suite wants something else.

    id: exactly this case. fact: every case that has this property. One of them. share_max: of the cases it is about, or
    of those that have the fact `among`; where more differ, it explains none of them: a wide property must not hide that
    something broke.
    """

    suite: str
    got: str
    reason: str
    id: str | None = None
    fact: str | None = None
    share_max: float = 1.0
    among: str | None = None

    def is_about(self, result: Result) -> bool:
        """Say whether the case is meant, whatever was said of it."""
        return result.id == self.id if self.id is not None else self.fact in result.facts

    def explains(self, result: Result) -> bool:
        """Say whether this is why we differ."""
        return not result.agrees and begins(result.got, self.got) and self.is_about(result)

    def is_refuted_by(self, result: Result) -> bool:
        """Say whether this case shows that there is nothing to explain: it is meant, and we say what the suite wants.

        A case that must be refused for another reason may have the property, too.
        """
        if not self.is_about(result) or not result.agrees:
            return False
        return self.id is not None or result.got.split(" ")[0] != self.got.split(" ")[0]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A suite's results, told apart. stale: explanations whose cases agree by now."""

    agreed: Sequence[Result]
    explained: Sequence[tuple[Result, Explanation]]
    unexplained: Sequence[Result]
    stale: Sequence[Explanation]

    @property
    def cases(self) -> int:
        """Count all."""
        return len(self.agreed) + len(self.explained) + len(self.unexplained)


def reckon(suite: str, results: Sequence[Result], explanations: Sequence[Explanation]) -> Reckoning:
    """Tell results apart; the first explanation that fits counts."""
    ours = [explanation for explanation in explanations if explanation.suite == suite]
    agreed = [result for result in results if result.agrees]
    explained, unexplained = list[tuple[Result, Explanation]](), list[Result]()
    for result in (result for result in results if not result.agrees):
        why = next((explanation for explanation in ours if explanation.explains(result)), None)
        if why is None:
            unexplained.append(result)
        else:
            explained.append((result, why))
    for why in ours:
        meant = sum(why.is_about(result) if why.among is None else why.among in result.facts for result in results)
        if sum(found is why for _, found in explained) > why.share_max * meant:
            unexplained += [result for result, found in explained if found is why]
            explained = [(result, found) for result, found in explained if found is not why]
    used = {id(why) for _, why in explained}
    stale = [why for why in ours if id(why) not in used and any(why.is_refuted_by(result) for result in results)]
    return Reckoning(agreed, explained, unexplained, stale)
