"""How much the ledger may take, and how long it keeps what is delivered."""

import msgspec

PAGE_BYTES = 4_096


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[ledger]. bytes_max: byte budget of the file (its write-ahead log comes on top, at most about 16 MB).

    ballast_bytes: disk space held in reserve, given up to finish cleanly when the disk is full; 0 for none.
    keep_delivered_days: how long delivered records stay at least, while there is space: a platform restored from a
    backup may ask again.
    """

    bytes_max: int = 1_073_741_824
    ballast_bytes: int = 4_194_304
    keep_delivered_days: int = 30

    def __post_init__(self) -> None:
        if self.bytes_max < 1_048_576:
            raise ValueError("bytes_max must be at least 1048576 (1 MiB)")
        if not 0 <= self.ballast_bytes <= 268_435_456:
            raise ValueError("ballast_bytes must lie in [0, 268435456]")
        if not 30 <= self.keep_delivered_days <= 3_650:
            raise ValueError("keep_delivered_days must lie in [30, 3650]")
