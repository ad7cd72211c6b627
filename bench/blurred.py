"""Drawn codes of bars, blurred, tilted, noisy: how many EAN-13 two bands read, how many wrongly, what others become.

`python -m bench.blurred SEED SECONDS`
"""

import random
import sys
import time
from typing import Any

import zxingcpp
from PIL import Image, ImageChops, ImageFilter

from agent.adapters.vision.fitted import Fitted
from agent.core.reading.symbologies import Symbology

_FORMATS = zxingcpp.BarcodeFormat
_BANDS = 3  # looked at in each picture
_SCALE = 8  # pixels a module as drawn, before it is made small


def main(seed: int, seconds: float) -> None:
    """Print recall and false reads of as many pictures as the time allows."""
    chance, fitted = random.Random(seed), Fitted([Symbology.EAN13])  # noqa: S311
    drawn = witnessed = read = wrong_bands = wrong = others = other_bands = other_reads = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        digits = _ean(chance)
        numbers = _bands(fitted, _seen(_code(digits, _FORMATS.EAN13), chance, chance.uniform(0.6, 1.5)))
        drawn += 1
        witnessed += digits in numbers
        read += numbers.count(digits) >= 2
        wrong_bands += sum(number != digits for number in numbers)
        wrong += any(numbers.count(number) >= 2 for number in set(numbers) - {digits})
        numbers = _bands(fitted, _seen(_other(chance), chance, chance.uniform(0.3, 1.5)))
        others += 1
        other_bands += len(numbers)
        other_reads += any(numbers.count(number) >= 2 for number in set(numbers))
    print(f"{drawn} EAN-13: {read} read, {witnessed} witnessed; {wrong} read wrongly, {wrong_bands} wrong bands")
    print(f"{others} others: {other_reads} read, {other_bands} bands")


def _bands(fitted: Fitted, picture: Image.Image) -> list[str]:
    return [seen.piece.data.decode() for turn in range(_BANDS) for seen in fitted.read(picture, turn)]


def _ean(chance: random.Random) -> str:
    digits = "".join(chance.choice("0123456789") for _ in range(12))
    return digits + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


def _code(text: str, kind: zxingcpp.BarcodeFormat) -> Image.Image:
    image: Any = zxingcpp.create_barcode(text, kind).to_image(scale=_SCALE, add_quiet_zones=True)
    height, width = memoryview(image).shape or (0, 0)
    drawn = Image.frombuffer("L", (width, height), bytes(memoryview(image)), "raw", "L", 0, 1)
    return drawn.resize((width, 50 * _SCALE))


def _other(chance: random.Random) -> Image.Image:
    kind = chance.choice(("128", "39", "itf", "8", "stripes", "noise"))
    digits = "".join(chance.choice("0123456789") for _ in range(chance.choice((6, 8, 10, 12, 14))))
    if kind == "128":
        return _code(
            "".join(chance.choice("ABCDEFabc0123456789") for _ in range(chance.randint(4, 10))), _FORMATS.Code128
        )
    if kind == "39":
        return _code(digits[:6], _FORMATS.Code39)
    if kind == "itf":
        return _code(digits, _FORMATS.ITF)
    if kind == "8":
        seven = digits[:6] + "1"
        check = -sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(seven)) % 10
        return _code(seven + str(check), _FORMATS.EAN8)
    picture = Image.new("L", (117 * _SCALE, 50 * _SCALE), 255)
    if kind == "noise":
        picture.paste(Image.effect_noise((95 * 2, 100), 90).resize((95 * _SCALE, 50 * _SCALE)), (11 * _SCALE, 0))
        return picture
    at = 11 * _SCALE
    while at < 106 * _SCALE:
        wide, space = (chance.choice((1, 1, 2, 3, 4)) * _SCALE for _ in range(2))
        picture.paste(0, (at, 0, min(at + wide, 106 * _SCALE), 50 * _SCALE))
        at += wide + space
    return picture


def _seen(code: Image.Image, chance: random.Random, spread: float) -> Image.Image:
    """Return the code as a bad camera sees it; spread: of the blur, in modules."""
    paper = Image.new("L", (code.width + 40 * _SCALE, code.height + 24 * _SCALE), 255)
    paper.paste(code, (20 * _SCALE, 12 * _SCALE))
    width, height = paper.size
    lean, aside = chance.uniform(-0.12, 0.12) * height, chance.uniform(-0.06, 0.06) * height
    corners = (lean, aside, -lean / 2, height - aside, width + lean / 2, height + aside, width - lean, -aside)
    tilted = paper.transform(paper.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR, fillcolor=255)
    radius = spread * _SCALE
    disc = chance.random()
    blurred = tilted.filter(ImageFilter.GaussianBlur(radius * (1 - disc) ** 0.5))
    for _ in range(2):  # two boxes: neither disc nor Gauss
        blurred = blurred.filter(ImageFilter.BoxBlur((radius * (disc * 1.5) ** 0.5, 0)))
    module = chance.uniform(1.1, 2.2)
    small = blurred.resize((round(width / _SCALE * module), round(height / _SCALE * module)), Image.Resampling.BOX)
    dark, power = chance.uniform(10, 80), chance.uniform(0.5, 1.0)
    shown = small.point([round(dark + (235 - dark) * (level / 255) ** power) for level in range(256)])
    noise = Image.effect_noise(shown.size, chance.uniform(1, 6))
    return ImageChops.add(shown, noise, 1, -128)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
