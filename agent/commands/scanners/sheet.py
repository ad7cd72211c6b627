"""The calibration sheet: one page of A4 with the calibration text in three kinds of code, and what to do with it.

Drawn in black and white at 300 dots an inch, so that no edge of a code is blurred. Headings are Chinese and English
where the machine has a Chinese font, else English alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

DOTS_PER_INCH = 300
WIDTH, HEIGHT, MARGIN = 2_480, 3_508, 150  # A4
SQUARE, STACK_WIDTH = 860, 2_000  # at most
CHINESE_FONTS = (  # file, face of a collection: simplified Chinese
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
    ("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf", 0),
    ("/usr/share/fonts/truetype/arphic/uming.ttc", 0),
)
TITLE = ("扫码器校准页", "Scanner calibration sheet")
STEPS = (
    (
        "1. 将此页按 100% 大小打印（不要“适应页面”），或在屏幕上全屏显示。",
        "Print this page at 100 % (not “fit to page”), or show it on a screen.",
    ),
    (
        "2. 在终端上运行以下命令，并填写扫码器的路径和类型：",
        "On the terminal run this, with the scanner's path and type (scanward scanners list):",
    ),
    (
        "3. 只扫描其中一个码（扫码器能读的任意一个），然后将显示的设置粘贴到配置文件中。",
        "Scan one of the codes, whichever the scanner reads; paste the settings it prints.",
    ),
)
COMMAND = "scanward scanners calibrate --path PATH --type keyboard"
FOOT = (
    "三个码的内容相同，不含任何个人信息。",
    "All codes hold the same text, and nothing of any person.",
)


def draw(text: str) -> "Image":
    """Return the page, black and white. text: what the codes hold, ASCII."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 — only the sheet needs them

    page = Image.new("1", (WIDTH, HEIGHT), 1)
    pen = ImageDraw.Draw(page)
    y = _say(pen, MARGIN, TITLE, 84) + 40
    for at, step in enumerate(STEPS):
        y = _say(pen, y, step, 46)
        if at == 1:
            pen.text((MARGIN + 80, y), COMMAND, fill=0, font=_latin(46))
            y += 80
        y += 20
    y += 40
    data = text.encode("ascii")
    for x, name, title in (
        (MARGIN + 80, "QRCode", "QR"),
        (WIDTH - MARGIN - 80 - SQUARE, "DataMatrix", "Data Matrix"),
    ):
        code = code_of(data, name, SQUARE)
        page.paste(code, _even(x + (SQUARE - code.width) // 2, y + (SQUARE - code.height) // 2))
        pen.text((x + SQUARE // 2, y + SQUARE + 20), title, fill=0, font=_latin(46), anchor="ma")
    y += SQUARE + 160
    stack = code_of(data, "PDF417", STACK_WIDTH)
    page.paste(stack, _even((WIDTH - stack.width) // 2, y))
    pen.text((WIDTH // 2, y + stack.height + 20), "PDF417", fill=0, font=_latin(46), anchor="ma")
    _say(pen, HEIGHT - 230, FOOT, 42)
    return page


def _even(x: int, y: int) -> tuple[int, int]:
    """Return a place that keeps modules of even width sharp at half the resolution."""
    return x & ~1, y & ~1


def code_of(data: bytes, name: str, width_max: int) -> "Image":
    """Return one code with its quiet zone; modules are an even number of dots wide: sharp at half the resolution, too.

    Raises ValueError.
    """
    import zxingcpp  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    try:
        # Many scanners do not read the wide forms of Data Matrix (ISO/IEC 21471).
        is_square = {"force_square": True} if name == "DataMatrix" else {}
        code = zxingcpp.create_barcode(data, getattr(zxingcpp.BarcodeFormat, name), **is_square)
    except ValueError as error:
        raise ValueError(f"{name}: {len(data)} bytes are too many for the page") from error
    matrix = memoryview(cast("Any", code.to_image(scale=1, add_quiet_zones=True)))
    rows, columns = matrix.shape or (0, 0)
    dots = width_max // columns & ~1
    if dots < 2:
        raise ValueError(f"{name}: {len(data)} bytes are too many for the page")
    small = Image.frombuffer("L", (columns, rows), matrix.tobytes(), "raw", "L", 0, 1).copy()
    return small.resize((columns * dots, rows * dots), Image.Resampling.NEAREST).convert("1")


def save(page: "Image", path: Path) -> None:
    """Write the page as PDF or PNG, by the file's name. Raises OSError; ValueError for any other name."""
    match path.suffix.lower():
        case ".pdf":
            page.save(path, "PDF", resolution=DOTS_PER_INCH, title="Scanward: calibration sheet")
        case ".png":
            page.save(path, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
        case _:
            raise ValueError(f"{path}: name a .pdf or a .png file")


def has_chinese() -> bool:
    """Say whether this machine has a font for the Chinese headings."""
    return any(Path(file).is_file() for file, _ in CHINESE_FONTS)


def _say(pen: "ImageDraw", y: int, words: tuple[str, str], size: int) -> int:
    """Write a line in both languages; return where the next one begins."""
    chinese, english = words
    if has_chinese():
        pen.text((MARGIN, y), chinese, fill=0, font=_chinese(size))
        y += round(size * 1.5)
    elif chinese[:2].rstrip(".").isdigit():
        english = f"{chinese[:2]} {english}"
    indent = 0 if not chinese[:1].isdigit() or not has_chinese() else round(size * 1.1)
    pen.text((MARGIN + indent, y), english, fill=0, font=_latin(size))
    return y + round(size * 1.6)


def _latin(size: int) -> "Font":
    from PIL import ImageFont  # noqa: PLC0415

    return ImageFont.load_default(size)


def _chinese(size: int) -> "Font":
    from PIL import ImageFont  # noqa: PLC0415

    file, face = next((file, face) for file, face in CHINESE_FONTS if Path(file).is_file())
    return ImageFont.truetype(file, size, index=face)
