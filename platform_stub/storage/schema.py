"""The schema of the database, its version, and how an older one is brought up to date. The same for every database.

The law: it happens in one commit, under the database's lock, and never to a database that a newer program made. The
files schema*.sql say what a new database is; migration_NNNN.sql is the step to version NNNN.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from platform_stub.storage import statements
from platform_stub.storage.database import DatabaseBroken, Transaction
from platform_stub.storage.dialect import statements_of

FOLDER = Path(__file__).parent
VERSION = 1


@dataclass(frozen=True, slots=True)
class Schema:
    """What the tables must be. steps: by the version they lead to."""

    version: int
    files: tuple[str, ...]
    steps: dict[int, str]

    @property
    def digest(self) -> str:
        """Return what tells this schema from one with other files."""
        return hashlib.sha256("\0".join(self.files).encode()).hexdigest()


def read_schema(folder: Path = FOLDER, version: int = VERSION) -> Schema:
    """Read the schema files of a folder, schema.sql first, and the steps from older versions."""
    files = tuple(path.read_text(encoding="utf-8") for path in sorted(folder.glob("schema*.sql")))
    steps = {int(path.stem[10:]): path.read_text(encoding="utf-8") for path in folder.glob("migration_*.sql")}
    return Schema(version, files, steps)


async def bring_up_to_date(
    db: Transaction, schema: Schema, define: Callable[[str], Awaitable[object]], *, is_new: bool
) -> None:
    """Make or change the tables until they are `schema`. define: runs a statement of a schema file, in `db`.

    is_new: there are no tables yet. Raises DatabaseBroken when the database is of a newer version.
    """
    await define(statements.SCHEMA_TABLE)
    rows = await db.rows(statements.SCHEMA_HELD)
    version, digest = rows[0] if rows else (schema.version if is_new else 1, "")
    if version > schema.version:
        raise DatabaseBroken(
            f"it was made by a newer scanward-platform (schema {version}, this one knows {schema.version}): "
            "update this program"
        )
    if (version, digest) == (schema.version, schema.digest):
        return  # nothing is locked or written where another worker already runs
    for number in range(version + 1, schema.version + 1):
        for statement in statements_of(schema.steps[number]):
            await define(statement)
    for file in schema.files:
        for statement in statements_of(file):
            await define(statement)
    await db.execute(statements.SCHEMA_NOTED, (schema.version, schema.digest))
