"""Countries by two and by three letters."""

import pytest

from agent.core.codes.countries import country_named, two_letters


@pytest.mark.parametrize(
    ("text", "three", "two"),
    [
        ("AT", "AUT", "AT"), ("AUT", "AUT", "AT"), ("AU", "AUS", "AU"), ("CHE", "CHE", "CH"), ("CHN", "CHN", "CN"),
        ("GR", "GRC", "GR"), ("EL", "GRC", "GR"), ("GRC", "GRC", "GR"), ("UK", "GBR", "GB"), ("GBR", "GBR", "GB"),
        ("XK", "XKX", "XK"), ("at", None, None), ("", None, None), ("XX", None, None), ("CNAM", None, None),
        ("AT:AUT", None, None), ("AT ", None, None),
    ],
)  # fmt: skip
def test_a_country_is_known_by_two_and_by_three_letters(text: str, three: str | None, two: str | None) -> None:
    assert (country_named(text), two_letters(text)) == (three, two)
