"""What the documents say is so: the tree is the real one, commands run, settings and reasons are all described."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.clock import SystemRandomness
from agent.adapters.console.texts import has_sentence
from agent.cli import COMMANDS, main
from agent.composition.ledger import Paths, open_ledger
from agent.config import load
from fakes.trust_content import content, publish_bundle

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("systemd/*.md")])


def blocks(document: str | Path, language: str = "sh") -> list[str]:
    """Return the fenced blocks of a document in one language; "" for those without any."""
    found, inside, body = list[str](), None, list[str]()
    for line in (ROOT / document).read_text().splitlines(keepends=True):
        if not line.startswith("```"):
            body.append(line)
        elif inside is None:
            inside, body = line[3:].strip(), []
        else:
            if inside == language:
                found.append("".join(body))
            inside = None
    return found


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_tree_in_the_architecture_is_the_real_one():
    (tree,) = [b for b in blocks("docs/ARCHITECTURE.md", "") if b.startswith("agent/")]
    told, stack = set[str](), list[str]()
    for line in tree.splitlines():
        marks, name = re.fullmatch(r"([│├└─ ]*)([a-z_]+(?:\.py|/)?).*", line).groups()
        depth = len(marks) // 4
        stack = [*stack[:depth], name]
        told.add("".join(stack))
    told = {t for t in told if t.startswith("agent/") and t != "agent/"}
    real = {
        f"{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}"
        for folder in ("agent", "agent/adapters", "agent/core")
        for path in (ROOT / folder).iterdir()
        if path.name not in {"__init__.py", "__pycache__"}
    }
    assert told == real


def test_every_folder_the_architecture_names_exists():
    (tree,) = [b for b in blocks("docs/ARCHITECTURE.md", "") if b.startswith("agent/")]
    tops = re.findall(r"^([a-z_]+)/", tree, re.MULTILINE)
    assert len(tops) >= 8
    assert all((ROOT / top).is_dir() for top in tops)


def test_the_readme_names_every_command_and_no_other():
    named = set(re.findall(r"^\| `scanward ([a-z]+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    run = subprocess.run(
        [sys.executable, "-m", "agent", command, "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 0
    assert command in run.stdout


def test_every_make_target_a_document_names_exists():
    named = set(
        re.findall(r"make ([a-z]+)\b", "".join(d.read_text() for d in [ROOT / "README.md", ROOT / "CHANGELOG.md"]))
    )
    assert named >= {"demo", "test", "check", "bench"}
    assert named <= make_targets()


def test_the_readme_promises_what_the_demonstration_prints():
    (promise,) = [b for b in blocks("README.md", "") if b.startswith("demo: ")]
    assert re.fullmatch(r"demo: (\d+) scans, \1 as expected, \1 delivered, 0 lost, 0 twice\n", promise)


def test_the_commands_under_look_inside_run_and_the_code_is_accepted(tmp_path):
    (block,) = [b for b in blocks("README.md") if "scanward explain" in b]
    script = block.replace(".venv/bin/scanward-platform", f"{sys.executable} -m platform_stub").replace(
        ".venv/bin/scanward", f"{sys.executable} -m agent"
    )
    run = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "payment: accept, ok" in run.stdout
    assert "█" in run.stdout or "\x1b" in run.stdout or "▀" in run.stdout, "no QR code in the terminal"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_every_scanward_call_in_a_document_is_one_the_program_knows(document):
    for block in blocks(document):
        for command in re.findall(r"\bscanward ([a-z]+)", block):
            assert command in COMMANDS


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A terminal that ran before: its configuration, its ledger, its verified trust list."""
    folder = tmp_path_factory.mktemp("terminal")
    config = folder / "agent.toml"
    config.write_text(
        f'[[scanners]]\nid = "front"\ntype = "serial"\npath = "/dev/null"\n[state]\ndirectory = "{folder / "state"}"\n'
    )
    (folder / "state").mkdir(mode=0o700)
    open_ledger(load(config), Paths(folder / "state"), SystemRandomness()).close()
    publish_bundle(folder / "state" / "trust", content())
    return folder


def calls_in(document: str) -> list[str]:
    """Return the whole `scanward` calls in running text and tables, but for the agent and its refresher themselves."""
    found = re.findall(r"`scanward ((?:check|explain|queue|trust show)\b[^`]*)`", (ROOT / document).read_text())
    return sorted({call for call in found if call != "check"})


@pytest.mark.parametrize("document", ["docs/operations.md", "docs/trust.md", "docs/configuration.md"])
def test_every_call_in_a_guide_runs_as_it_is_written(document, terminal, capsys):
    places = {"FILE": terminal / "agent.toml", "/etc/scanward/scanward.toml": terminal / "agent.toml"}
    places |= {"DIR": terminal / "state", "CODE": "an invented code"}
    calls = calls_in(document)
    assert calls
    for call in calls:
        status = main([str(places.get(word, word)) for word in call.split()])
        captured = capsys.readouterr()
        assert status == (1 if call.startswith("explain") else 0), f"{call}: {captured.err}"
        assert "policy.none" not in captured.out, call


def test_the_guide_for_operation_shows_how_to_ask_each_question():
    calls = {call.partition(" --")[0] for call in calls_in("docs/operations.md")}
    assert calls >= {"queue list", "queue retry", "explain CODE", "trust show", "check"}


def documented_reasons() -> set[str]:
    rows = [line for line in (ROOT / "docs" / "codes.md").read_text().splitlines() if line.startswith("| `")]
    return {
        reason for row in rows for reason in re.findall(r"`([a-z]+\.[a-z0-9-]+)`", row.split("|")[1])
    }  # fmt: skip


def test_every_reason_that_can_be_shown_has_a_sentence_for_people():
    reasons = {r for r in documented_reasons() if not r.startswith("input.")}  # those are answers of `verify` alone
    assert len(reasons) >= 35
    assert sorted(r for r in reasons if not has_sentence(r)) == []


def test_every_reason_of_a_decision_is_documented():
    source = (ROOT / "agent" / "core" / "decision.py").read_text()
    given = set(re.findall(r'"((?:policy|replay)\.[a-z-]+)"', source))
    assert len(given) >= 8
    assert given <= documented_reasons()
