"""German e-prescription DataMatrix pictures of gematik: each is read, and what it holds stays data.

`…sample…` is a prescription: told apart as one, and without a proof of its own. All others are hostile or damaged: they
are read, and neither verified nor taken for anything that works.
"""

import re
from pathlib import Path

from conformance.command import Line, Runner, say
from conformance.material import files, trust_list
from conformance.result import Findings, Result

NAME, FOLDER = "gematik", "gematik-datamatrix"
NOW = "2024-09-01T00:00:00Z"
_TASK, _NUMBER = re.compile(r"Task/([^/]{1,64})/"), re.compile(r"[0-9]{3}(?:\.[0-9]{3}){4}\.[0-9]{2}")
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def run(folder: Path, runner: Runner) -> Findings:
    """Judge every picture: that it is read, then what it is."""
    taken = [path for path in files(folder) if path.suffix in _PICTURES]
    not_taken = [(path, f"a {path.suffix or 'nameless'} file") for path in files(folder) if path not in taken]
    ids = [path.relative_to(folder).as_posix() for path in taken]
    lines = [Line(id_, None, path, NOW) for id_, path in zip(ids, taken, strict=True)]
    answers = runner.verify(lines, trust_list([]))
    results = list[Result]()
    for id_, path, reading in zip(ids, taken, runner.read(taken), strict=True):
        read = "read" if reading.codes else f"not read{f': {reading.trouble}' if reading.trouble else ''}"
        results.append(Result(f"{id_}#picture", ("read",), read))
        is_prescription = "sample" in path.stem
        expected = ("unverifiable",) if is_prescription else ("refused decode.", "refused family.")
        answer = answers[id_]
        texts = [data.decode("utf-8", "replace") for data, _ in reading.codes]
        is_odd = any(not _NUMBER.fullmatch(number) for text in texts for number in _TASK.findall(text))
        facts = frozenset({"a task that no prescription can have"} if is_odd else ())
        got = say(answer)
        if is_prescription and answer["family"] != "e-prescription":
            got = f"taken for {answer['family']}: {got}"
        results.append(Result(id_, expected, got, facts))
    return Findings(results, not_taken)
