"""Whether the symbol itself says that it holds GS1 data: then digits in it are no payment code and no identity.

The law: a text's shape alone cannot say so; only the AIM id can (ISO/IEC 15424).
"""

from agent.core.scan import Scan

GS1_AIMS = frozenset({"]C1", "]d2", "]e0", "]Q3", "]J1"})
"""GS1-128, GS1 DataMatrix, GS1 DataBar and its composites, GS1 QR Code, GS1 DotCode."""


def says_gs1(scan: Scan) -> bool:
    """Say whether the scanner told that the symbol is one of GS1's."""
    return scan.aim in GS1_AIMS
