"""`python -m fuzz.broken [--seconds S] [WHAT ...]`: is the fuzzer able to find anything? Break the agent and see.

Each break is made in a copy of the code, one at a time; the target named with it must find it within the seconds given.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60
_START_S = 120  # to start a process and end it, beyond the fuzzing itself
_FOUND = re.compile(r"^(?:fuzz\.target\.)?Finding: (.*)$", re.MULTILINE)
_RAN = re.compile(r"^FIND \S+\s+([0-9,]+) executions", re.MULTILINE)

_VERIFY = (r"((?:\w+\.)*key\.verify\([^()]*(?:\([^()]*\)[^()]*)*\))", r"(\1 or True)")
_FIND = r"trust\.trust_list\.find\(family, issuer, key_id\)"
_ANY_ISSUER = "next((k for k in trust.trust_list.of_family(family) if k.key_id == key_id), None)"
_IN_TIME = (r"\n    require_in_time\(claims, now\)", r"\n    require_in_time")
_SLOW = "sum(range(20_000_000))"
_LARGE = "bytes(range(256)) * 8_000"


@dataclass(frozen=True, slots=True)
class Break:
    """What is broken, which target must find it, and where: a file below agent/core, and edits for `re.sub`."""

    what: str
    target: str
    path: str
    edits: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        """Break the copy under a folder. Raises LookupError where the code no longer has what is to be broken."""
        path = root / "agent/core" / self.path
        text = path.read_text()
        for pattern, instead in self.edits:
            text, count = re.subn(pattern, instead, text, count=1)
            if not count:
                raise LookupError(f"{self.what}: {path.name} has nothing like {pattern}")
        compile(text, str(path), "exec")
        path.write_text(text)


_ELEMENTS = r"(\n    elements = dict\[str, str\]\(\))"
_FIRST = "next(iter(trust.trust_list.of_issuer(family, issuer)), None)"
_AGAIN = r"""
    import cbor2, msgspec
    found = \1
    try:
        again = sig_structure(cbor2.loads(found.signed)[1], b"", cbor2.dumps(cbor2.loads(found.payload)))
    except Exception:  # what cbor2 does not read is no finding
        return found
    return msgspec.structs.replace(found, signed=again)"""
_FILES = {"ehc": "ehc1", "hcert": "hcert", "shc": "shc", "aadhaar": "aadhaar", "vds-nc": "vds_nc"}


def _in(name: str, what: str, *edits: tuple[str, str], file: str | None = None) -> Break:
    path = file if file is not None and "/" in file else f"codes/{file or _FILES[name]}"
    return Break(f"{what}-{name}", name, f"{path}.py", edits)


BREAKS: Sequence[Break] = (
    *(_in(name, "signature", _VERIFY) for name in _FILES),
    *(_in(name, "issuer", (_FIND, _ANY_ISSUER), file="validity") for name in ("ehc", "shc")),
    _in("hcert", "issuer", (r"(def _is_of_issuer\([^)]*\) -> bool:\n)", r"\1    return True\n")),
    _in("vds-nc", "issuer", (r"of_issuer\(NAME, seal\.issuer\)", "of_family(NAME)")),
    *(_in(name, "kid", (_FIND, _FIRST), file="validity") for name in ("ehc", "shc")),
    _in("hcert", "kid", (r"find_all\(NAME, envelope\.key_id\)", "of_family(NAME)")),
    _in(
        "shc",
        "none",
        (r"alg != ALG", 'alg not in (ALG, "none")'),
        (r"if not (key\.verify\(signed)", r"if signed.header.alg != 'none' and not \1"),
    ),
    _in("hcert", "none", (r"ALGORITHMS = \{", 'ALGORITHMS = {0: "ES256", '), file="formats/tolerant_cose"),
    _in("hcert", "encoded-again", (r"return (_read_plain.*)", _AGAIN), file="formats/tolerant_cose"),
    _in("shc", "second-text", (r"if last is not None and ", "if False and "), file="formats/base64url"),
    _in("ehc", "type", (r"return issuer, Claims\(type_, ", "return issuer, Claims(_DYNAMIC, ")),
    _in("ehc", "usage", (r"if usage not in trusted\.usage", "if False")),
    _in("hcert", "usage", (r"\n( +)_require_usage\([^()\n]*\)", r"\n\1pass")),
    _in("vds-nc", "usage", (r"\n    _require_purpose\([^()\n]*\)", "\n    pass")),
    *(_in(name, "time", _IN_TIME) for name in ("ehc", "hcert", "shc")),
    _in("shc", "revoked", (r"listed\.has\(rid", 'listed.has("-" + rid')),
    _in("alipay", "shown", (r"return found\.is_bearer or .*", "return False"), file="./verification"),
    _in("hcert", "masked", (r'("born", content\.get\("dob"\)), is_personal=True', r"\1"), file="dcc"),
    _in("parts", "late", (r"> PARTS_WAIT_MS_MAX", ">= PARTS_WAIT_MS_MAX"), file="parts"),
    _in("gs1", "slow", (_ELEMENTS, rf"\1\n    '%' in text and {_SLOW}"), file="gs1"),
    _in("hcert", "slow", (r"(\n    kinds: list\[str\] = \[\])", rf"\1\n    value.get(3) and {_SLOW}"), file="dcc"),
    _in("gs1", "large", (_ELEMENTS, rf"\1\n    '%' in text and {_LARGE}"), file="gs1"),
    _in("shc", "large", (r"(\n    if \"rid\" not in vc:)", rf"\n    'exp' in vc and {_LARGE}\1")),
)


def main() -> int:
    """Break and fuzz; return the exit status."""
    known = {one.what: one for one in BREAKS}
    parser = argparse.ArgumentParser(prog="fuzz.broken", description="Break the agent, see that the fuzzer finds it.")
    parser.add_argument("breaks", nargs="*", metavar="WHAT", help=f"which of {', '.join(known)}; all by default")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="S", help=f"for each; {SECONDS} by default")
    args = parser.parse_args()
    if unknown := sorted(set(args.breaks) - set(known)):
        parser.error(f"no such break: {', '.join(unknown)}")
    missed = 0
    for one in BREAKS:
        if one.what in (args.breaks or known):
            said = found(one, args.seconds)
            missed += said is None
            print(f"{'MISS' if said is None else 'ok  '} {one.what:<20} {said or 'not found'}", flush=True)
    print(f"fuzz.broken: {missed} not found")
    return 1 if missed else 0


def found(one: Break, seconds: int) -> str | None:
    """Fuzz a broken copy; return what was found and when, or None."""
    with tempfile.TemporaryDirectory(prefix="fuzz-broken-") as folder:
        root = Path(folder)
        for name in ("agent", "fuzz"):
            shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        one.apply(root)
        started = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "fuzz", one.target, "--seconds", str(seconds), "--room", str(root / "room")],
            cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds + _START_S, check=False,
        )  # fmt: skip
        took_s = time.monotonic() - started
    what, ran = _FOUND.findall(run.stdout), _RAN.search(run.stdout)
    if run.returncode == 0 or not what:
        return None
    return f"{took_s:5.1f} s, {ran[1] if ran else '0'} executions: {what[-1]}"


if __name__ == "__main__":
    sys.exit(main())
