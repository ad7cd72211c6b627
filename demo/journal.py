"""The driver's own journal: what was presented, what had to come of it, what the display then showed."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Presented:
    """One whole code put before one scanner.

    answer, reason: what the display must show; reason may be a stage such as "signature.". race: the number of the
    pair that it is judged with. shown: the display's event.
    """

    what: str
    scanner: str
    answer: str
    reason: str
    shown: dict[str, object] | None = None
    race: int | None = None

    @property
    def is_as_expected(self) -> bool:
        """Say whether the display showed what it had to."""
        if self.shown is None:
            return False
        if self.race is not None:
            return True  # judged for the pair
        return self.shown["answer"] == self.answer and str(self.shown["reason"]).startswith(self.reason)

    @property
    def identity(self) -> tuple[str, int] | None:
        """Ledger id (hex) and seq of the record that was shown."""
        if self.shown is None:
            return None
        return str(self.shown["ledger_id"]), int(str(self.shown["seq"]))


@dataclass(slots=True)
class Journal:
    """Everything presented, in order, and every secret that must appear in no log."""

    presented: list[Presented] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what went wrong on the way, in words
    unasked: list[dict[str, object]] = field(default_factory=list)  # decisions shown that nothing was presented for

    def races(self) -> dict[int, list[Presented]]:
        """Return the pairs that were presented at the same instant."""
        pairs: dict[int, list[Presented]] = {}
        for one in self.presented:
            if one.race is not None:
                pairs.setdefault(one.race, []).append(one)
        return pairs
