"""What a suite says of one case, and what we say.

The law: they agree, or the difference is explained by name, or the run fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


def begins(got: str, words: str) -> bool:
    """Say whether an answer begins with these words, whole; with a part of a reason where they end with a dot."""
    ends = ("",) if words.endswith(".") else (" ", ":", ",")
    return got == words or got.startswith(tuple(words + end for end in ends))


@dataclass(frozen=True, slots=True)
class Result:
    """One case. id: its file in the suite's folder, then #what where one file asserts several things.

    expected: what the suite allows, each the beginning of `got` (`begins`): "refused" allows "refused time.expired".
    got: what we said. facts: properties of the case itself, for rules that explain by them ("alg HS512").
    """

    id: str
    expected: tuple[str, ...]
    got: str
    facts: frozenset[str] = field(default=frozenset())

    @property
    def agrees(self) -> bool:
        """Say whether we said what the suite allows."""
        return any(begins(self.got, words) for words in self.expected)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a suite's run gave. not_taken: files of its folder that no loader understands, each with why."""

    results: Sequence[Result]
    not_taken: Sequence[tuple[Path, str]] = ()
