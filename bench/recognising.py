"""What recognising costs beside the bare ES256 check: a real text of each family, and the worst texts of 8 kB.

A family without an example of its own fails the benchmark, as it fails a test.
"""

import time
from statistics import median

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from agent.core.codes import FAMILIES, recognise
from agent.core.scan import SCAN_BYTES_MAX
from bench.line import Line
from bench.turns import ratio
from fuzz.examples import EXAMPLES, OF_A_SITE, adversarial
from fuzz.judging import scan_of

RATIO_MAX = 0.25
TRIES = 15


def lines() -> list[Line]:
    """Measure."""
    key, message = ec.generate_private_key(ec.SECP256R1()), bytes(200)
    public_key, signature, es256 = key.public_key(), key.sign(message, ec.ECDSA(SHA256())), ec.ECDSA(SHA256())

    def bare() -> None:
        public_key.verify(signature, message, es256)

    found = list[Line]()
    for family in FAMILIES:
        if family.name in OF_A_SITE:
            continue
        scan = max((example.scan for example in EXAMPLES[family.name]), key=lambda scan: len(scan.data))
        assert recognise(scan).family == family.name
        name = f"recognise {family.name}, {len(scan.data)} characters / bare ES256 check"
        found.append(ratio(name, bare, lambda scan=scan: recognise(scan), RATIO_MAX))  # type: ignore[misc]
    slowest = max(adversarial(SCAN_BYTES_MAX), key=_took_s)
    name = f"recognise the worst of the 8 kB texts, {slowest[:12]!r} ... {slowest[-3:]!r} / bare ES256 check"
    scan = scan_of(slowest.encode())
    return [*found, ratio(name, bare, lambda: recognise(scan), RATIO_MAX)]


def _took_s(text: str) -> float:
    """Return the median time of recognising a text."""
    scan, took_s = scan_of(text.encode()), list[float]()
    for _ in range(TRIES):
        started = time.perf_counter()
        recognise(scan)
        took_s.append(time.perf_counter() - started)
    return median(took_s)
