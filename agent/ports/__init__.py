"""What the tasks need of the world, and the troubles it may report.

Adapters implement the protocols and raise the errors; tasks speak to nothing else. An error is named after what can be
done about it; anything not listed here is a bug and ends the process.
"""

from agent.ports.ledger import Ledger, NamedValues, ParkedRecord, ParkedRecords
from agent.ports.platform import Carrier, CommandSink, OnlineVerifier, Uplink
from agent.ports.requests import Errands, Requests
from agent.ports.troubles import (
    AddressInUse,
    CarrierDown,
    LedgerBroken,
    LedgerFull,
    LedgerOvertaken,
    LedgerRefused,
    LedgerUnusable,
    LinkBroke,
    PlatformLied,
    PlatformRejected,
    PlatformUnreachable,
    SecretUnusable,
)
from agent.ports.trust import (
    RefreshableTrustStore,
    TrustFloor,
    TrustRefresher,
    TrustStore,
    TrustTrouble,
    VerifiedBundle,
)
from agent.ports.world import (
    Clock,
    Counted,
    Display,
    Entered,
    FrameReader,
    Randomness,
    ScanCounts,
    ScanEntrance,
    Scanner,
    TakesScans,
    Triggered,
)

__all__ = [
    "AddressInUse",
    "Carrier",
    "CarrierDown",
    "Clock",
    "CommandSink",
    "Counted",
    "Display",
    "Entered",
    "Errands",
    "FrameReader",
    "Ledger",
    "LedgerBroken",
    "LedgerFull",
    "LedgerOvertaken",
    "LedgerRefused",
    "LedgerUnusable",
    "LinkBroke",
    "NamedValues",
    "OnlineVerifier",
    "ParkedRecord",
    "ParkedRecords",
    "PlatformLied",
    "PlatformRejected",
    "PlatformUnreachable",
    "Randomness",
    "RefreshableTrustStore",
    "Requests",
    "ScanCounts",
    "ScanEntrance",
    "Scanner",
    "SecretUnusable",
    "TakesScans",
    "Triggered",
    "TrustFloor",
    "TrustRefresher",
    "TrustStore",
    "TrustTrouble",
    "Uplink",
    "VerifiedBundle",
]
