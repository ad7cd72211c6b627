"""What tests of scanners share: who is told of them, a keyboard's node, and a real tty with a scanner's end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.board import Board
from fakes.tty import Presences, Tty


@pytest.fixture
def told() -> Presences:
    return Presences()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "event0")
    yield board
    board.unplug()


@pytest.fixture
def tty(tmp_path: Path) -> Iterator[Tty]:
    tty = Tty(tmp_path / "scanner")
    yield tty
    tty.unplug()
