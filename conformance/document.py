"""Writes the figures into docs/conformance.md, between its two marks: what people wrote around them stays.

The law: the same run gives the same text; times and paths are no part of it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from conformance.command import ROOT
from conformance.explained import Explanation
from conformance.result import Result
from conformance.trial import Trial

PATH = "docs/conformance.md"
BEGIN, END = "<!-- figures: written by `make conformance WRITE=1` -->", "<!-- end of figures -->"
IDS_SHOWN_MAX = 400
_NUMBERED = re.compile(r"(?P<head>.*#)(?P<number>\d+)")


def write(trials: Sequence[Trial]) -> None:
    """Put the figures of a run of all suites into the document."""
    path = ROOT / PATH
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{PATH}: the marks of the figures are missing")
    path.write_text(f"{before}{BEGIN}\n\n{figures(trials)}\n{END}{after}", "utf-8")


def figures(trials: Sequence[Trial]) -> str:
    """Return the table of all suites and a section for each."""
    rows = [row(trial) for trial in trials]
    counts = [(t.cases, len(t.agreed), len(t.explained), len(t.unexplained)) for t in (t.reckoning for t in trials)]
    total = " | ".join(str(sum(column)) for column in zip(*counts, strict=True))
    head = "| suite | cases | as expected | explained | unexplained |\n| --- | --- | --- | --- | --- |\n"
    sections = [text for trial in trials if (text := section(trial))]
    return f"{head}{''.join(rows)}| all | {total} |\n" + "".join(f"\n{text}" for text in sections)


def row(trial: Trial) -> str:
    """Return a suite's line of the table."""
    reckoning = trial.reckoning
    return (
        f"| {trial.suite} | {reckoning.cases} | {len(reckoning.agreed)} | {len(reckoning.explained)} | "
        f"{len(reckoning.unexplained)} |\n"
    )


def section(trial: Trial) -> str:
    """Return a suite's explained differences, one row for each explanation; "" where there is none."""
    by_reason = defaultdict[str, list[tuple[Result, Explanation]]](list)
    for result, why in trial.reckoning.explained:
        by_reason[why.reason].append((result, why))
    if not by_reason:
        return ""
    rows = list[str]()
    for reason, members in by_reason.items():
        fact = members[0][1].fact
        what = f"{_cell(fact)}: " if fact else ""
        said = ", ".join(sorted({why.got for _, why in members}))
        rows.append(
            f"| {len(members)} | {what}{_ids([r.id for r, _ in members])} | {_cell(said)} | {_cell(reason)} |\n"
        )
    return f"### {trial.suite}\n\n| cases | which | we say | why |\n| --- | --- | --- | --- |\n{''.join(rows)}"


def _ids(ids: Sequence[str]) -> str:
    """Return ids as short as they stay exact: runs of numbers of one file as 3-7."""
    runs, plain = defaultdict[str, list[int]](list), list[str]()
    for id_ in ids[:IDS_SHOWN_MAX]:
        found = _NUMBERED.fullmatch(id_)
        if found:
            runs[found["head"]].append(int(found["number"]))
        else:
            plain.append(f"`{_cell(id_)}`")
    plain += [f"`{_cell(head)}{_spans(sorted(numbers))}`" for head, numbers in runs.items()]
    more = [f"and {len(ids) - IDS_SHOWN_MAX} more"] if len(ids) > IDS_SHOWN_MAX else []
    return ", ".join(plain + more)


def _spans(numbers: Sequence[int]) -> str:
    spans = list[list[int]]()
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
