"""`python -m bench [NAME ...]`: run the benchmarks and print each figure beside its bound.

Every line is a ratio or a figure of this run; what is missed is said, and the exit status is 0 only if nothing is.
"""

import argparse
import importlib
import sys
import time

MODULES = (
    "verifying", "recognising", "hcert", "shc", "aadhaar", "bulk", "scanning", "camera", "ledger", "pipeline",
    "delivery", "drain", "mqtt", "ingest", "console", "page", "process", "camera_loop", "endurance",
)  # fmt: skip


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="bench", description="Ratios from one run, each beside its bound.")
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(MODULES)}; all by default")
    names = parser.parse_args().names or MODULES
    if unknown := sorted(set(names) - set(MODULES)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    lines = []
    for name in names:
        started = time.monotonic()
        found = importlib.import_module(f"bench.{name}").lines()
        if not found:
            print(f"MISS {name}: measured nothing")
            return 1
        print(f"-- {name} ({time.monotonic() - started:.1f} s)")
        for line in found:
            print(line, flush=True)
        lines += found
    within = sum(line.is_within for line in lines)
    print(f"bench: {within} of {len(lines)} within bounds")
    return 0 if within == len(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
