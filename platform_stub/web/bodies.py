"""Bodies of requests over HTTP: CBOR, bounded before they are read."""

from aiohttp import web

from platform_stub.web.problem import Problem

CBOR = "application/cbor"


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """Return a request's body. Raises Problem (413, 415)."""
    if request.content_type != CBOR:
        raise Problem(415, "message.type", f"The message must be {CBOR}.")
    if (request.content_length or 0) > bytes_max:
        raise Problem(413, "message.too-large", f"At most {bytes_max} bytes are read.")
    body = await request.read()
    if len(body) > bytes_max:
        raise Problem(413, "message.too-large", f"At most {bytes_max} bytes are read.")
    return body
