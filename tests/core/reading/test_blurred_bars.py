"""Numbers out of lines too blurred for edges."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.reading.bar_shapes import Blur, dot, model, number, numbers, shapes
from agent.core.reading.blurred_bars import fit, is_certain, symbols

MODULE = 3  # samples
LINE = 150 * MODULE
NUMBER = "9780345460950"


def path_of(digits: str) -> tuple[int, ...]:
    for parity in range(64):
        path = tuple(
            int(digit) + (10 if place < 6 and parity >> place & 1 else 0) for place, digit in enumerate(digits[1:])
        )
        try:
            if number(path) == digits:
                return path
        except ValueError:
            continue
    raise AssertionError(digits)


def line_of(digits: str, spread: int = 10, noise: float = 0.5, seed: int = 1) -> list[float]:
    """Draw the line of a number: white paper of 200, ink of 60."""
    dark = model(path_of(digits), Blur(spread, 0))
    chance = random.Random(seed)  # noqa: S311
    line = [200.0] * LINE
    for at in range(LINE):
        place = ((at + 0.5) / MODULE - 27.5 + 3) * 2 - 0.5
        low = int(place)
        if 0 <= place < len(dark) - 1:
            line[at] -= 140 * (dark[low] + (dark[low + 1] - dark[low]) * (place - low))
    return [value + chance.gauss(0, noise) for value in line]


@pytest.mark.parametrize("digits", [NUMBER, "0605482330012", "0073333531084"])
@pytest.mark.parametrize("spread", [8, 12])
def test_a_number_blurred_by_a_module_is_read(digits: str, spread: int) -> None:
    found = fit(line_of(digits, spread), 2)
    assert found is not None
    assert found.number == digits
    assert is_certain(found)


def test_a_line_without_a_symbol_shows_nothing() -> None:
    assert fit([], 2) is None
    assert fit([128.0] * LINE, 2) is None
    assert fit([float("nan")] * LINE, 2) is None
    assert symbols([200.0, 20.0] * 200, 2) == []


def test_noise_as_strong_as_the_bars_is_no_witness() -> None:
    for seed in range(5):
        found = fit(line_of(NUMBER, 14, noise=60, seed=seed), 2)
        assert found is None or found.number == NUMBER or not is_certain(found)


def test_a_number_without_its_check_digit_is_never_told() -> None:
    found = fit(line_of(NUMBER[:-1] + "1", 12), 2)
    assert found is None or not is_certain(found)


def test_the_best_number_of_its_own_darkness_is_itself() -> None:
    blur = Blur(10, 0)
    path = path_of(NUMBER)
    assert numbers(model(path, blur), blur, 1) == [path]
    assert dot((1.0, 2.0), (3.0, 4.0)) == 11
    assert len(shapes(blur).left) == 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 255), max_size=400))
def test_any_line_is_taken_and_random_ones_show_nothing(line: list[float]) -> None:
    found = fit(line, 1.8)
    assert found is None or not is_certain(found)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([6, 10, 14]))
def test_random_stripes_between_quiet_zones_show_nothing(seed: int, blur: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    modules = [0.0] * 25 + [float(chance.random() < 0.5) for _ in range(95)] + [0.0] * 25
    sharp = [module for module in modules for _ in range(MODULE)]
    reach = round(blur / 10 * MODULE * 1.5)
    line = [200.0 - 140 * sum(sharp[max(0, at - reach) : at + reach + 1]) / (2 * reach + 1) for at in range(len(sharp))]
    found = fit(line, 2)
    assert found is None or not is_certain(found)
