"""The troubles an adapter may report, each named after what can be done about it."""


class AddressInUse(Exception):
    """The local API cannot listen where it was told to."""


class SecretUnusable(Exception):
    """A file with a secret cannot be used as it is; the message says which, and what to do."""


class LedgerFull(Exception):
    """No space for this record: nothing was written. Refuse, keep delivering."""


class LedgerRefused(Exception):
    """This record was not written, for a reason of its own (e.g. its one-time code is already used)."""


class LedgerBroken(Exception):
    """Whether the record was written is unknown (failed fsync, I/O error): answer nothing, end the process."""


class LedgerUnusable(Exception):
    """This ledger cannot be opened as it is (another process owns it, another terminal's, made by a later version).

    The message says what a person can do.
    """


class LedgerOvertaken(Exception):
    """The platform's history of this ledger is not ours: this terminal was restored from an old image.

    Nothing more can be delivered from this ledger as it is; a new one must be begun, and people must be told.
    """

    def __init__(self, seq: int, hash_: bytes) -> None:
        super().__init__(f"the platform's head {seq} is not in this ledger's history")
        self.seq = seq
        self.hash = hash_


class PlatformUnreachable(Exception):
    """No answer: try again later."""


class CarrierDown(PlatformUnreachable):
    """There is no connection: nothing was sent. Another carrier may be tried at once with the same bytes."""


class LinkBroke(PlatformUnreachable):
    """The connection broke while an answer was awaited: what was sent may have arrived. Try again soon."""


class PlatformRejected(Exception):
    """The platform answered and will not take this request.

    `whole`: it rejects the terminal or the protocol, not this batch: wait and tell people. Otherwise try the records
    one by one. `reason` is the platform's, cut to 200 characters and stripped of anything unprintable.
    """

    def __init__(self, reason: str, *, whole: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.whole = whole


class PlatformLied(Exception):
    """An answer that is not signed as it must be, or not about what was asked. Nothing moves; people are told."""
