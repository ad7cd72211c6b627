"""One target under atheris, in a process of its own: `python -m fuzz.child NAME [libFuzzer's own flags]`.

atheris counts branches in what is imported under its eye, so the agent is imported here and not above.
"""

import sys
from pathlib import Path


def main() -> None:
    """Fuzz until libFuzzer has had enough; a finding ends the process."""
    import atheris  # noqa: PLC0415  # not installed for anything else

    with atheris.instrument_imports(include=["agent"]):
        from fuzz.target import Watched  # noqa: PLC0415
        from fuzz.targets import targets  # noqa: PLC0415

    name, corpus = sys.argv[1], Path(sys.argv[2])
    target = targets()[name]
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    flags = sys.argv[3:]
    if target.words:
        words = corpus.parent / f"{name}.words"
        words.write_text("".join(map(_entry, target.words)))
        flags.append(f"-dict={words}")
    kept = sum(1 for _ in corpus.iterdir())  # libFuzzer begins with them: each of these is weighed
    atheris.Setup([sys.argv[0], *flags, str(corpus)], Watched(target, weighed_first=kept))
    atheris.Fuzz()


def _entry(word: bytes) -> str:
    """Return a line of libFuzzer's dictionary."""
    escaped = "".join(f"\\x{byte:02x}" for byte in word)
    return f'"{escaped}"\n'


if __name__ == "__main__":
    main()
