"""What a status of the platform means, over HTTP and in down/problem over MQTT alike (docs/protocol/README.md).

The law: neither is signed, so nothing is parked on a status alone; it says whether to send singly, to wait or to try
again.
"""

from agent.ports import PlatformRejected, PlatformUnreachable

_ABOUT_THE_REQUEST = frozenset({400, 409, 413, 422})
_TRY_LATER = frozenset({408, 425, 429})


def is_about_the_request(status: int) -> bool:
    """Say whether a status is about what was sent, not about who sent it."""
    return status in _ABOUT_THE_REQUEST


def trouble_of(status: int, reason: str) -> PlatformUnreachable | PlatformRejected:
    """Return the trouble that a status other than success stands for. reason: printable and short, or empty."""
    if status >= 500 or status in _TRY_LATER or status < 400:
        return PlatformUnreachable(f"the platform answers with status {status}")
    return PlatformRejected(f"{status} {reason}".strip(), whole=not is_about_the_request(status))
