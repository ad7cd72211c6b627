"""DEFLATE (RFC 1951) with a limit: nothing scanned makes more bytes than its format allows, and none is left over."""

import zlib

ZLIB = zlib.MAX_WBITS  # RFC 1950
RAW = -zlib.MAX_WBITS  # RFC 1951
GZIP = 16 + zlib.MAX_WBITS  # RFC 1952


class InflateInvalid(ValueError):
    """The bytes are not one whole stream of the kind; the message says why, without the content."""


class InflateOverLong(InflateInvalid):
    """It makes more bytes than the format allows."""


def inflate(data: bytes, kind: int, bytes_max: int) -> bytes:
    """Return the bytes of a stream, at most bytes_max. kind: ZLIB, RAW or GZIP. Raises InflateInvalid."""
    stream = zlib.decompressobj(kind)
    try:
        found = stream.decompress(data, bytes_max + 1)
    except zlib.error as error:
        raise InflateInvalid("not a stream of this kind, or a damaged one") from error
    if len(found) > bytes_max:
        raise InflateOverLong(f"more than {bytes_max} bytes come of it")
    if not stream.eof:
        raise InflateInvalid("cut short")
    if stream.unused_data:
        raise InflateInvalid("bytes behind the stream")
    return found
