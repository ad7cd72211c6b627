"""One line of the benchmark: a figure from this run beside its bound."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """A ratio or a figure. sense says on which side of the bound it must lie; detail shows what it was made from."""

    name: str
    figure: float
    bound: float
    sense: Literal["at most", "at least"]
    unit: str
    detail: str = ""

    @property
    def is_within(self) -> bool:
        """Say whether the figure keeps to its bound."""
        return self.figure <= self.bound if self.sense == "at most" else self.figure >= self.bound

    def __str__(self) -> str:
        """Return the line as printed: verdict, figure, bound, what it is."""
        verdict = "ok  " if self.is_within else "MISS"
        return f"{verdict} {self.figure:8.3f} {self.unit:<6} ({self.sense} {self.bound:g})  {self.name}  {self.detail}"
