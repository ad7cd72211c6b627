"""Puts the console's server together: its secrets, its sessions, and what its calls speak to.

Wrong secrets keep the agent from starting: a console that nobody can enter would be found out too late.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from agent.adapters.console.calls import Parts
from agent.adapters.console.console import Console
from agent.adapters.console.metrics import LedgerFigures, read_status
from agent.adapters.console.roles import Entrance
from agent.adapters.console.secret_files import load_or_create_token, load_pin, load_token
from agent.adapters.console.server import ConsoleServer, Settings
from agent.core.delivery import StoredRecord
from agent.core.requests import elapsed_ms, stamp_of
from agent.core.transaction import record_of
from agent.ports import Clock, NamedValues, ParkedRecords, Randomness, Requests, ScanEntrance


class ConsoleLedger(ParkedRecords, Protocol):
    """What the console reads of the ledger."""

    @property
    def appended(self) -> int:
        """Records since the start."""
        ...

    @property
    def commits_failed(self) -> int:
        """Commits that failed since the start."""
        ...

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits."""
        ...


async def open_server(
    settings: Settings,
    token_path: Path,
    *,
    console: Console,
    requests: Requests,
    scans: ScanEntrance,
    ledger: ConsoleLedger,
    values: NamedValues,
    status: Callable[[], Awaitable[dict[str, object]]],
    step: str,
    clock: Clock,
    randomness: Randomness,
) -> ConsoleServer:
    """Return the local API, listening. Raises SecretUnusable, AddressInUse.

    token_path: where the token is made, unless the settings name a file; status: what GET /v1/status says; step: of
    scanners that name none.
    """
    if settings.token_file is None:
        token = load_or_create_token(token_path, randomness)
    else:
        token = load_token(Path(settings.token_file))
    entrance = Entrance(
        token=token,
        pin=None if settings.staff_pin_file is None else load_pin(Path(settings.staff_pin_file)),
        link_s=settings.link_s,
        staff_idle_s=settings.staff_idle_s,
        values=values,
        clock=clock,
        randomness=randomness,
    )
    await entrance.restore()

    async def ledger_figures() -> LedgerFigures:
        cursors = [uplink.cursor for uplink in read_status(await status()).all_uplinks]
        oldest_age_s = None
        for record in await ledger.read(min(cursors), records_max=1, bytes_max=1) if cursors else ():
            age_ms = elapsed_ms(stamp_of(record_of(record.envelope)), clock.now())
            oldest_age_s = None if age_ms is None else age_ms / 1000
        return LedgerFigures(ledger.appended, ledger.commits_failed, oldest_age_s)

    parts = Parts(
        console=console,
        entrance=entrance,
        requests=requests,
        scans=scans,
        parked=ledger,
        status=status,
        ledger_figures=ledger_figures,
        step=step,
        program_may_confirm=settings.program_may_confirm,
    )
    server = ConsoleServer(settings, parts)
    await server.start()
    return server
