"""A verification-request (online.cddl), written with the vectors' generator alone."""

import hashlib

from vectors import generate


def verification_request(terminal, code, attempt="first", **changes):
    """Return a signed request about a national code; f3="elsewhere" and the like replace single fields."""
    attempt_id = hashlib.sha256(attempt.encode()).digest()[:16]
    fields = {1: attempt_id, 2: terminal.id, 3: terminal.site, 4: "payment", 5: "national", 6: code.encode()}
    fields |= {7: generate.NOW_S * 1000} | {int(name[1:]): value for name, value in changes.items()}
    return generate.cose_sign1(terminal.key, "scanward-verify-1", generate.cbor(fields))
