"""How the code is built, as far as ruff and the import contracts do not say it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
READS_THE_ENVIRONMENT = {"agent/config.py", "agent/cli.py"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("agent", "platform_stub")
    for path in (ROOT / package).rglob("*.py")
)


@cache
def tree_of(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def names_of_os_read_in(tree: ast.Module) -> set[str]:
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    return (used | imported) & ENVIRONMENT


def test_the_files_are_found() -> None:
    assert {"agent/cli.py", "agent/core/scan.py", "platform_stub/__init__.py"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_each_file_says_what_it_is(file: str) -> None:
    assert ast.get_docstring(tree_of(file))


@pytest.mark.parametrize("file", FILES)
def test_files_and_functions_are_small_enough_to_trust(file: str) -> None:
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions_of(tree_of(file))}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("agent/") and f not in READS_THE_ENVIRONMENT])
def test_only_the_configuration_reads_the_environment(file: str) -> None:
    assert names_of_os_read_in(tree_of(file)) == set()


def test_reading_the_environment_is_seen() -> None:
    assert names_of_os_read_in(tree_of("agent/config.py")) == {"environ"}
    assert names_of_os_read_in(ast.parse("from os import getenv")) == {"getenv"}
