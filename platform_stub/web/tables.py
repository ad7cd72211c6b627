"""Tables of the page. Everything in a cell is escaped here, and nowhere else."""

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that stands out: good, bad, or none for what is missing."""

    text: str
    look: str


Cell = str | Mark


def table(title: str, columns: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> str:
    """Return a heading and a table under it."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join("<tr>" + "".join(map(_td, row)) + "</tr>" for row in rows)
    if not rows:
        body = f'<tr><td class="none" colspan="{len(columns)}">none</td></tr>'
    return (
        f'<section><h2>{escape(title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def time_of(at_ms: int) -> str:
    """Return an instant for people."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span_of(seconds: int) -> str:
    """Return a span for people, in the one unit that says most."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _td(cell: Cell) -> str:
    if isinstance(cell, Mark):
        return f'<td><span class="{escape(cell.look)}">{escape(cell.text)}</span></td>'
    return f"<td>{escape(cell)}</td>"
