"""The SQL of the ledger, read from the .sql files beside this one."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import apsw

_NAME = re.compile(r"^-- name: ([a-z_]+)\n", re.MULTILINE)

Binding = int | str | bytes | None
Bindings = Sequence[Binding] | Mapping[str, Binding]
Row = tuple[Any, ...]
"""The tables are STRICT: what a statement returns has the types of schema.sql."""


def rows(connection: apsw.Connection, name: str, bindings: Bindings = ()) -> list[Row]:
    """Return all rows of a statement. Raises apsw.Error."""
    return connection.execute(SQL[name], bindings).fetchall()


def value(connection: apsw.Connection, name: str, bindings: Bindings = ()) -> Any:
    """Return the only column of the only row, or None where there is no row. Raises apsw.Error."""
    row = connection.execute(SQL[name], bindings).fetchone()
    return None if row is None else row[0]


def _statements() -> dict[str, str]:
    _about, *parts = _NAME.split(_read("statements.sql"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


SCHEMA: Final = _read("schema.sql")
SQL: Final = _statements()
"""Statement by name. apsw keeps each prepared for the life of the connection."""
