"""How dark each digit of an EAN-13 makes a line across it, at a given blur, and the best digits for a given darkness.

ISO/IEC 15420: guards, the three sets of digits, the parity that tells the first digit. A digit of the left half is
0-9 odd, 10-19 even. Overlaps are exact: what two neighbours blur into each other is counted in their sum.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import asin, erf, pi, sqrt
from operator import mul
from typing import NamedTuple

from agent.core.formats.check_digit import is_checked

MODULES = 95
QUIET = 3  # modules beside the symbol that are part of the fit
PER_MODULE = 2  # samples; a line blurred by half a module and more holds nothing finer
SAMPLES = (MODULES + 2 * QUIET) * PER_MODULE
_SPAN = (7 + 2 * QUIET) * PER_MODULE  # samples that one digit reaches; of two digits apart none meets the other
_BEAM = 60  # sequences kept while digits are chosen one after the other

_ODD = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_RIGHT = tuple("".join("10"[int(module)] for module in digit) for digit in _ODD)
_EVEN = tuple(digit[::-1] for digit in _RIGHT)
_FIRST = ("000000", "001011", "001101", "001110", "010011", "011001", "011100", "010101", "010110", "011010")
_PREFIXES = frozenset(parity[:length] for parity in _FIRST for length in range(7))
_GUARDS = ((0, "101"), (45, "01010"), (92, "101"))
_LEFT_AT = tuple((3 + 7 * place) * PER_MODULE for place in range(6))
_RIGHT_AT = tuple((50 + 7 * place) * PER_MODULE for place in range(6))

Row = tuple[float, ...]
Path = tuple[int, ...]


class Blur(NamedTuple):
    """Tenths of a module: spread is the blur's standard deviation, gain how much wider ink made each bar."""

    spread: int
    gain: int


class Shapes(NamedTuple):
    """Darkness by the guards and by each digit; what a digit's row is squared; twice what two neighbours share."""

    guards: Row
    left: tuple[Row, ...]
    right: tuple[Row, ...]
    own_left: Row
    own_right: Row
    beside_left: tuple[Row, ...]  # [the right one][the left one]
    beside_right: tuple[Row, ...]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the sum of products."""
    return float(sum(map(mul, one, other)))


@lru_cache(maxsize=96)  # of 50 kB
def shapes(blur: Blur) -> Shapes:
    """Return all shapes at one blur."""
    guards = [0.0] * SAMPLES
    for at, modules in _GUARDS:
        for sample, dark in enumerate(_shape(modules, -QUIET - at, SAMPLES, blur)):
            guards[sample] += dark
    left = tuple(_shape(digit, -QUIET, _SPAN, blur) for digit in _ODD + _EVEN)
    right = tuple(_shape(digit, -QUIET, _SPAN, blur) for digit in _RIGHT)
    shift = 7 * PER_MODULE
    return Shapes(
        tuple(guards),
        left,
        right,
        tuple(dot(row, row) for row in left),
        tuple(dot(row, row) for row in right),
        tuple(tuple(2 * dot(this[shift:], following) for this in left) for following in left),
        tuple(tuple(2 * dot(this[shift:], following) for this in right) for following in right),
    )


def model(path: Path, blur: Blur) -> list[float]:
    """Return how dark each sample of these twelve digits is: 0 the paper, 1 a wide bar."""
    known = shapes(blur)
    dark = list(known.guards)
    rows = [known.left[digit] for digit in path[:6]] + [known.right[digit] for digit in path[6:]]
    for at, row in zip(_LEFT_AT + _RIGHT_AT, rows, strict=True):
        dark[at : at + _SPAN] = map(float.__add__, dark[at : at + _SPAN], row)
    return dark


def likeliest(dark: Sequence[float], blur: Blur) -> tuple[float, Path]:
    """Return the mean squared error of the best twelve digits, whatever their parity and check digit, and them."""
    known = shapes(blur)
    left, right, rest = _errors(dark, known)
    cost_left, path_left = _best_half(left, known.beside_left)
    cost_right, path_right = _best_half(right, known.beside_right)
    return (rest + cost_left + cost_right) / SAMPLES, path_left + path_right


def numbers(dark: Sequence[float], blur: Blur, most: int) -> list[Path]:
    """Return the digits of the best numbers with a true parity and check digit, best first."""
    known = shapes(blur)
    left, right, rest = _errors(dark, known)
    beam: list[tuple[float, Path, str]] = [(rest, (), "")]
    for errors in left:
        wider = []
        for cost, path, parity in beam:
            for digit, error in enumerate(errors):
                prefix = parity + "01"[digit >= 10]
                if prefix in _PREFIXES:
                    shared = known.beside_left[digit][path[-1]] if path else 0.0
                    wider.append((cost + error + shared, (*path, digit), prefix))
        beam = sorted(wider)[:_BEAM]
    for place, errors in enumerate(right):
        wider = []
        for cost, path, parity in beam:
            for digit, error in enumerate(errors):
                shared = known.beside_right[digit][path[-1]] if place else 0.0
                wider.append((cost + error + shared, (*path, digit), parity))
        beam = sorted(wider)[: _BEAM * (1 + (place == 5) * 9)]
    return [path for _, path, _ in beam if is_checked(number(path))][:most]


def number(path: Path) -> str:
    """Return the thirteen digits of a path with a true parity."""
    parity = "".join("01"[digit >= 10] for digit in path[:6])
    return str(_FIRST.index(parity)) + "".join(str(digit % 10) for digit in path)


def _bars(modules: str) -> Iterator[tuple[int, int]]:
    at = 0
    while (at := modules.find("1", at)) >= 0:
        end = modules.find("0", at)
        end = len(modules) if end < 0 else end
        yield at, end
        at = end


def _shape(modules: str, first: float, samples: int, blur: Blur) -> Row:
    """Return how dark these modules make each sample; `first`: the first sample's place in modules."""
    spread, gain = blur.spread / 10, blur.gain / 20
    row = [0.0] * samples
    for start, end in _bars(modules):
        left, right = start - gain, end + gain
        for sample in range(samples):
            at = first + (sample + 0.5) / PER_MODULE
            row[sample] += _reached(at - left, spread) - _reached(at - right, spread)
    return tuple(row)


def _reached(at: float, spread: float) -> float:
    """Return how much of a blurred step is passed: half a lens out of focus (a disc), half all else (Gauss)."""
    disc = max(-1.0, min(1.0, at / (2 * spread)))
    by_disc = 0.5 + (disc * sqrt(1 - disc * disc) + asin(disc)) / pi
    return by_disc / 2 + (1 + erf(at / spread / sqrt(2))) / 4


def _errors(dark: Sequence[float], known: Shapes) -> tuple[list[list[float]], list[list[float]], float]:
    """Return, for each place of each half, what each digit adds to the squared error, and the error without digits."""
    rest = [value - guard for value, guard in zip(dark, known.guards, strict=True)]
    left, right = [], []
    for at in _LEFT_AT:
        window = rest[at : at + _SPAN]
        left.append([own - 2 * dot(window, row) for own, row in zip(known.own_left, known.left, strict=True)])
    for at in _RIGHT_AT:
        window = rest[at : at + _SPAN]
        right.append([own - 2 * dot(window, row) for own, row in zip(known.own_right, known.right, strict=True)])
    return left, right, dot(rest, rest)


def _best_half(errors: list[list[float]], beside: tuple[Row, ...]) -> tuple[float, Path]:
    """Return the least error of six digits and them (Viterbi); the left half begins odd, if its digits have parity."""
    costs = errors[0][:10] + [1e9] * (len(errors[0]) - 10)
    back = []
    for following in errors[1:]:
        sums = [[*map(float.__add__, costs, shared)] for shared in beside]
        least = [min(row) for row in sums]
        back.append([row.index(value) for row, value in zip(sums, least, strict=True)])
        costs = [*map(float.__add__, least, following)]
    cost = min(costs)
    path = [costs.index(cost)]
    for came in reversed(back):
        path.append(came[path[-1]])
    return cost, tuple(reversed(path))
