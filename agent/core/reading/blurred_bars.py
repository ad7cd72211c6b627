"""EAN-13 and UPC-A out of a line too blurred for edges: known bars, blurred, are fitted to its brightness.

The law: a number is told only where it fits well, and far better than any other number with a true check digit,
each fitted with its own place, light and blur. Arithmetic on floats; where lines come from is the caller's.
"""

from collections.abc import Sequence
from itertools import pairwise, product
from math import isfinite
from typing import NamedTuple

from agent.core.reading.bar_shapes import (
    MODULES,
    PER_MODULE,
    QUIET,
    SAMPLES,
    Blur,
    Path,
    dot,
    likeliest,
    model,
    numbers,
)
from agent.core.reading.bar_shapes import number as number_of

COST_MAX = 0.0025  # mean squared error over squared contrast
MARGIN_MIN = 2.3  # how many times worse the next number must fit
LINE_MAX = 16_384  # samples
_COARSE_COST_MAX = 0.05
_REFINED_COST_MAX = 0.008
_STARTS = 4
_RIVALS = 6
_EDGES_MAX = 60
_EDGE_SHARE_MIN = 0.08  # of the steepest
_BEND_MAX = 3.0
_SPREADS, _GAINS = (4, 18), (-2, 4)

_POSITIONS = tuple((sample + 0.5) / PER_MODULE - QUIET for sample in range(SAMPLES))
_ACROSS = tuple(2 * at / MODULES - 1 for at in _POSITIONS)  # -1 to 1 over the symbol
_BENDS = tuple(4 * (at / MODULES) * (1 - at / MODULES) for at in _POSITIONS)
_ONES = (1.0,) * SAMPLES


class Place(NamedTuple):
    """Where a symbol lies in a line, in samples; bend: how far its middle is off the middle of its ends, in modules."""

    start: float
    end: float
    bend: float = 0.0


class Fit(NamedTuple):
    """A number, its cost (mean squared error over squared contrast), how many times that of the next number is."""

    number: str
    cost: float
    margin: float
    place: Place


class _Light(NamedTuple):
    """Brightness of paper, and of paper less ink, in the middle; how much more at the right end."""

    paper: float
    paper_slope: float
    contrast: float
    contrast_slope: float


class _State(NamedTuple):
    cost: float
    path: Path
    place: Place
    blur: Blur
    light: _Light


def fit(line: Sequence[float], module_min: float) -> Fit | None:
    """Return the EAN-13 (a UPC-A with its 0 before) in a line of brightness, or None. Never raises on finite floats.

    module_min: the narrowest module to look for, in samples; about 2 samples a module are needed at least.
    """
    if len(line) > LINE_MAX or not all(map(isfinite, line)):
        return None
    coarse = [state for left, right in symbols(line, module_min) for state in _coarse(line, left, right)]
    coarse.sort(key=lambda state: state.cost)
    if not coarse or coarse[0].cost > _COARSE_COST_MAX:
        return None
    refined = min((_refined(line, state, 10) for state in coarse[:_STARTS]), key=lambda state: state.cost)
    if refined.cost > _REFINED_COST_MAX or (dark := _seen(line, refined.place, refined.light)) is None:
        return None
    fits = [
        _refined(line, told, 6, is_held=True)
        for path in numbers(dark, refined.blur, _RIVALS)
        if (told := _told(line, refined._replace(path=path))) is not None
    ]
    if len(fits) < _RIVALS:
        return None
    best, other = sorted(fits, key=lambda state: state.cost)[:2]
    return Fit(number_of(best.path), best.cost, other.cost / max(best.cost, 1e-5), best.place)


def is_certain(found: Fit) -> bool:
    """Say whether a fit is good enough to be one witness."""
    return found.cost <= COST_MAX and found.margin >= MARGIN_MIN


def symbols(line: Sequence[float], module_min: float, most: int = 2) -> list[tuple[float, float]]:
    """Return where between two quiet zones a symbol may lie: its ends in samples, likeliest first."""
    slopes = [after - before for before, after in pairwise(line)]
    # A blurred guard reaches two modules into its quiet zone.
    run = [0.0]
    for slope in slopes:
        run.append(run[-1] + abs(slope))
    mean = run[-1] / max(1, len(slopes))
    falls, rises = _edges([-slope for slope in slopes]), _edges(slopes)
    found = []
    for left, right in product(falls, rises):
        module = (right - left) / MODULES
        far = int(5.5 * module)
        if module < module_min or left < far or right + far >= len(line):
            continue
        near = int(2.2 * module)
        quiet = max(run[left - near] - run[left - far], run[right + far] - run[right + near]) / (far - near)
        if quiet > mean:
            continue
        marks = [int(left + (right - left) * ninth / 9) for ninth in range(10)]
        busy = min(run[end] - run[start] for start, end in pairwise(marks)) * 9 / (right - left)
        if busy > 2 * quiet + 0.1:
            found.append((busy / (quiet + 0.1), left + 0.5, right + 0.5))
    kept: list[tuple[float, float]] = []
    for _, start, end in sorted(found, reverse=True):
        if all(abs(start - left) + abs(end - right) > (end - start) / MODULES * 2.5 for left, right in kept):
            kept.append((start, end))
            if len(kept) == most:
                break
    return kept


def _edges(slopes: Sequence[float]) -> list[int]:
    """Return where a line rises most, the steepest _EDGES_MAX; noise on paper is no edge."""
    least = _EDGE_SHARE_MIN * max(slopes, default=0.0)
    found = [
        (slopes[at], at)
        for at in range(2, len(slopes) - 2)
        if slopes[at] > least and slopes[at] >= slopes[at - 1] and slopes[at] > slopes[at + 1]
    ]
    return sorted(at for _, at in sorted(found, reverse=True)[:_EDGES_MAX])


def _coarse(line: Sequence[float], left: float, right: float) -> list[_State]:
    """Try places around these ends; return the best bend and blur of each."""
    module = (right - left) / MODULES
    found = []
    for first, last in product((-1, 0, 1), (-1, 0, 1)):
        tries = []
        for bend, spread in product((-0.7, 0.7), (8, 13)):
            place = Place(left + first * module, right + last * module, bend)
            light = _first_light(line, place)
            if light is not None and (state := _tried(line, place, Blur(spread, 0), light)) is not None:
                tries.append(state)
        found += sorted(tries, key=lambda state: state.cost)[:1]
    return found


def _sampled(line: Sequence[float], place: Place) -> list[float] | None:
    """Return the line at the samples of a symbol lying there; None where it leaves the line."""
    scale = (place.end - place.start) / MODULES
    bend, last, start = place.bend * scale, len(line) - 1, place.start
    samples = []
    for at, bent in zip(_POSITIONS, _BENDS, strict=True):
        x = start + at * scale + bend * bent
        whole = int(x)
        if x < 0 or whole >= last:
            return None
        low = line[whole]
        samples.append(low + (line[whole + 1] - low) * (x - whole))
    return samples


def _first_light(line: Sequence[float], place: Place) -> _Light | None:
    """Guess the light by the quiet zones, and as much ink as paper between them."""
    samples = _sampled(line, place)
    if samples is None:
        return None
    zone = (QUIET - 1) * PER_MODULE
    first, last = sum(samples[:zone]) / zone, sum(samples[-zone:]) / zone
    contrast = 2 * ((first + last) / 2 * SAMPLES - sum(samples)) / (MODULES * PER_MODULE)
    return _Light((first + last) / 2, (last - first) / 2, contrast, 0.0) if contrast > 1e-6 else None


def _seen(line: Sequence[float], place: Place, light: _Light) -> list[float] | None:
    """Return how dark the samples are: 0 the paper, 1 a wide bar."""
    samples = _sampled(line, place)
    if samples is None:
        return None
    paper, paper_slope, contrast, contrast_slope = light
    return [
        (paper + paper_slope * across - sample) / (contrast + contrast_slope * across)
        for sample, across in zip(samples, _ACROSS, strict=True)
    ]


def _tried(line: Sequence[float], place: Place, blur: Blur, light: _Light) -> _State | None:
    dark = _seen(line, place, light)
    return None if dark is None else _State(*likeliest(dark, blur), place, blur, light)


def _told(line: Sequence[float], state: _State) -> _State | None:
    """Return how well the state's own digits fit."""
    dark = _seen(line, state.place, state.light)
    if dark is None:
        return None
    rest = [one - other for one, other in zip(dark, model(state.path, state.blur), strict=True)]
    return state._replace(cost=dot(rest, rest) / SAMPLES)


def _refined(line: Sequence[float], state: _State, steps: int, *, is_held: bool = False) -> _State:
    """Step while it pays. is_held: the digits stay; otherwise they are chosen again at each step."""
    share = 1.0
    for _ in range(steps):
        moved = _moved(line, state, share)
        if moved is None:
            return state
        tried = _told(line, moved) if is_held else _tried(line, moved.place, moved.blur, moved.light)
        if tried is None or tried.cost >= state.cost:
            share /= 2
            if share < 0.2:
                break
            continue
        is_done = tried.cost > 0.997 * state.cost
        state = tried
        if is_done:
            break
    return state


def _moved(line: Sequence[float], state: _State, share: float) -> _State | None:
    """Return the state after one Gauss-Newton step of light, place and blur towards the line."""
    place, blur, light = state.place, state.blur, state.light
    module = (place.end - place.start) / MODULES
    ahead = 0.3 * module
    samples = _sampled(line, place)
    near = _sampled(line, place._replace(start=place.start + ahead, end=place.end + ahead))
    if samples is None or near is None:
        return None
    dark = model(state.path, blur)
    other_spread = 1 if blur.spread < _SPREADS[1] else -1
    other_gain = 1 if blur.gain < _GAINS[1] else -1
    wider = model(state.path, blur._replace(spread=blur.spread + other_spread))
    heavier = model(state.path, blur._replace(gain=blur.gain + other_gain))
    inks = [light.contrast + light.contrast_slope * at for at in _ACROSS]
    slopes = [(sample - after) / 0.3 for sample, after in zip(samples, near, strict=True)]  # a module further
    columns = (
        _ONES,
        _ACROSS,
        [-value for value in dark],
        [-value * at for value, at in zip(dark, _ACROSS, strict=True)],
        [slope * (1 - at) / 2 for slope, at in zip(slopes, _ACROSS, strict=True)],
        [slope * (1 + at) / 2 for slope, at in zip(slopes, _ACROSS, strict=True)],
        [slope * bent for slope, bent in zip(slopes, _BENDS, strict=True)],
        [(value - more) * ink * other_spread for value, more, ink in zip(dark, wider, inks, strict=True)],
        [(value - more) * ink * other_gain for value, more, ink in zip(dark, heavier, inks, strict=True)],
    )
    # Place and blur are held back a little where the line hardly tells them.
    hold = light.contrast**2
    found = _solved(columns, samples, (0, 0, 0, 0, hold, hold, hold, hold * 0.02, hold * 0.05))
    if found is None:
        return None
    light = _Light(*found[:4])
    if light.contrast <= 1e-6 or abs(light.contrast_slope) > 0.7 * light.contrast:
        return None
    start, end, bend = (_within((-1, 1), value * share) for value in found[4:7])
    spread, gain = (_within((-3, 3), value * share) for value in found[7:])
    place = Place(
        place.start + start * module, place.end + end * module, _within((-_BEND_MAX, _BEND_MAX), place.bend + bend)
    )
    blur = Blur(round(_within(_SPREADS, blur.spread + spread)), round(_within(_GAINS, blur.gain + gain)))
    return state._replace(place=place, blur=blur, light=light)


def _within(limits: tuple[float, float], value: float) -> float:
    return max(limits[0], min(limits[1], value))


def _solved(columns: Sequence[Sequence[float]], wanted: Sequence[float], hold: Sequence[float]) -> list[float] | None:
    """Return the factors of the columns whose sum is nearest to what is wanted; None where they are not told."""
    size = len(columns)
    rows = [[0.0] * size + [dot(one, wanted)] for one in columns]
    for down, one in enumerate(columns):
        for across in range(down, size):
            rows[down][across] = rows[across][down] = dot(one, columns[across])
        rows[down][down] += hold[down]
    for turn in range(size):
        pivot = rows[turn][turn]
        if abs(pivot) < 1e-9:
            return None
        for row in rows[turn + 1 :]:
            share = row[turn] / pivot
            for column in range(turn, size + 1):
                row[column] -= share * rows[turn][column]
    found = [0.0] * size
    for turn in reversed(range(size)):
        rest = rows[turn][size] - sum(rows[turn][column] * found[column] for column in range(turn + 1, size))
        found[turn] = rest / rows[turn][turn]
    return found
