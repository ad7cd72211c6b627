"""Our structures of the kernel's video interface against its header, as this machine's C compiler lays them out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.adapters.scanners.capture import videodev2 as ours

HEADER = Path("/usr/include/linux/videodev2.h")

STRUCTURES = {
    "v4l2_capability": ours.CAPABILITY, "v4l2_fmtdesc": ours.FMTDESC, "v4l2_frmsizeenum": ours.FRMSIZEENUM,
    "v4l2_frmivalenum": ours.FRMIVALENUM, "v4l2_format": ours.FORMAT, "v4l2_streamparm": ours.STREAMPARM,
    "v4l2_requestbuffers": ours.REQUESTBUFFERS, "v4l2_buffer": ours.BUFFER,
}  # fmt: skip
REQUESTS = (
    "QUERYCAP", "ENUM_FMT", "S_FMT", "REQBUFS", "QUERYBUF", "QBUF", "DQBUF", "STREAMON", "STREAMOFF", "S_PARM",
    "ENUM_FRAMESIZES", "ENUM_FRAMEINTERVALS",
)  # fmt: skip
CONSTANTS = {
    "V4L2_CAP_VIDEO_CAPTURE": ours.CAP_VIDEO_CAPTURE, "V4L2_CAP_VIDEO_CAPTURE_MPLANE": ours.CAP_VIDEO_CAPTURE_MPLANE,
    "V4L2_CAP_STREAMING": ours.CAP_STREAMING, "V4L2_CAP_DEVICE_CAPS": ours.CAP_DEVICE_CAPS,
    "V4L2_BUF_TYPE_VIDEO_CAPTURE": ours.BUF_TYPE_VIDEO_CAPTURE, "V4L2_MEMORY_MMAP": ours.MEMORY_MMAP,
    "V4L2_FIELD_NONE": ours.FIELD_NONE, "V4L2_FRMSIZE_TYPE_DISCRETE": ours.FRMSIZE_DISCRETE,
    "V4L2_FRMIVAL_TYPE_DISCRETE": ours.FRMIVAL_DISCRETE, "V4L2_BUF_FLAG_ERROR": ours.BUF_FLAG_ERROR,
    "V4L2_PIX_FMT_YUYV": ours.fourcc("YUYV"), "V4L2_PIX_FMT_UYVY": ours.fourcc("UYVY"),
    "V4L2_PIX_FMT_YVYU": ours.fourcc("YVYU"), "V4L2_PIX_FMT_VYUY": ours.fourcc("VYUY"),
    "V4L2_PIX_FMT_GREY": ours.fourcc("GREY"), "V4L2_PIX_FMT_Y16": ours.fourcc("Y16 "),
    "V4L2_PIX_FMT_NV12": ours.fourcc("NV12"), "V4L2_PIX_FMT_NV21": ours.fourcc("NV21"),
    "V4L2_PIX_FMT_NV16": ours.fourcc("NV16"), "V4L2_PIX_FMT_NV61": ours.fourcc("NV61"),
    "V4L2_PIX_FMT_NV24": ours.fourcc("NV24"), "V4L2_PIX_FMT_NV42": ours.fourcc("NV42"),
    "V4L2_PIX_FMT_YUV420": ours.fourcc("YU12"), "V4L2_PIX_FMT_YVU420": ours.fourcc("YV12"),
    "V4L2_PIX_FMT_YUV422P": ours.fourcc("422P"), "V4L2_PIX_FMT_MJPEG": ours.fourcc("MJPG"),
    "V4L2_PIX_FMT_JPEG": ours.fourcc("JPEG"),
}  # fmt: skip
# Each filled by the compiler, field by field, and read by us.
FILLED = """
struct v4l2_buffer b; memset(&b, 0, sizeof b);
b.index = 1; b.type = 2; b.bytesused = 3; b.flags = 4; b.field = 5; b.timestamp.tv_sec = 6; b.timestamp.tv_usec = 7;
b.timecode.type = 8; b.sequence = 9; b.memory = 10; b.m.offset = 11; b.length = 12;
struct v4l2_format f; memset(&f, 0, sizeof f);
f.type = 1; f.fmt.pix.width = 2; f.fmt.pix.height = 3; f.fmt.pix.pixelformat = 4; f.fmt.pix.field = 5;
f.fmt.pix.bytesperline = 6; f.fmt.pix.sizeimage = 7;
struct v4l2_streamparm p; memset(&p, 0, sizeof p);
p.type = 1; p.parm.capture.capability = 2; p.parm.capture.timeperframe.numerator = 3;
p.parm.capture.timeperframe.denominator = 4;
struct v4l2_frmsizeenum s; memset(&s, 0, sizeof s);
s.index = 1; s.pixel_format = 2; s.type = 3; s.stepwise.min_width = 4; s.stepwise.max_width = 5;
s.stepwise.min_height = 6; s.stepwise.max_height = 7;
struct v4l2_frmivalenum v; memset(&v, 0, sizeof v);
v.index = 1; v.pixel_format = 2; v.width = 3; v.height = 4; v.type = 5; v.discrete.numerator = 6;
v.discrete.denominator = 7;
struct v4l2_capability c; memset(&c, 0, sizeof c);
c.version = 1; c.capabilities = 2; c.device_caps = 3; strcpy((char *)c.card, "card");
struct v4l2_fmtdesc d; memset(&d, 0, sizeof d);
d.index = 1; d.type = 2; d.flags = 3; d.pixelformat = 4;
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not HEADER.exists():
        pytest.skip("no C compiler, or no kernel headers (gcc, linux-libc-dev)")
    folder = tmp_path_factory.mktemp("layout")
    prints = [f'printf("sizeof {name} %zu\\n", sizeof(struct {name}));' for name in STRUCTURES]
    prints += [f'printf("request {name} %lu\\n", (unsigned long)VIDIOC_{name});' for name in REQUESTS]
    prints += [f'printf("constant {name} %lu\\n", (unsigned long)(unsigned){name});' for name in CONSTANTS]
    prints += [f'printf("bytes {name} "); hex(&{name}, sizeof {name});' for name in "bfpsvcd"]
    source = folder / "layout.c"
    source.write_text(
        "#include <stdio.h>\n#include <string.h>\n#include <sys/time.h>\n#include <linux/videodev2.h>\n"
        "static void hex(const void *p, size_t n)"
        '{ for (size_t i = 0; i < n; i++) printf("%02x", ((const unsigned char *)p)[i]); printf("\\n"); }\n'
        f"int main(void) {{ {FILLED} {' '.join(prints)} return 0; }}\n"
    )
    subprocess.run([compiler, "-o", folder / "layout", source], check=True, timeout=60)
    run = subprocess.run([folder / "layout"], check=True, capture_output=True, text=True, timeout=10)
    return dict(line.rsplit(" ", 1) for line in run.stdout.splitlines())


def test_structures_are_as_long_as_the_kernels(said: dict[str, str]) -> None:
    assert {name: form.size for name, form in STRUCTURES.items()} == {
        name: int(said[f"sizeof {name}"]) for name in STRUCTURES
    }


def test_requests_have_the_kernels_numbers(said: dict[str, str]) -> None:
    assert {name: getattr(ours, name) for name in REQUESTS} == {name: int(said[f"request {name}"]) for name in REQUESTS}


def test_constants_are_the_kernels(said: dict[str, str]) -> None:
    assert {name: int(said[f"constant {name}"]) for name in CONSTANTS} == CONSTANTS


def test_fields_lie_where_the_kernel_puts_them(said: dict[str, str]) -> None:
    read = {
        name: form.unpack(bytes.fromhex(said[f"bytes {name}"]))
        for name, form in (
            ("b", ours.BUFFER), ("f", ours.FORMAT), ("p", ours.STREAMPARM), ("s", ours.FRMSIZEENUM),
            ("v", ours.FRMIVALENUM), ("c", ours.CAPABILITY), ("d", ours.FMTDESC),
        )
    }  # fmt: skip
    assert read["b"] == (1, 2, 3, 4, 5, 6, 7, (8).to_bytes(4, "little") + bytes(12), 9, 10, 11, 12, 0, 0)
    assert read["f"] == (1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0)
    assert read["p"] == (1, 2, 0, 3, 4, 0, 0)
    assert read["s"] == (1, 2, 3, 4, 5, 0, 6, 7, 0)
    assert read["v"] == (1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0)
    assert (read["c"][1][:5], read["c"][3:]) == (b"card\0", (1, 2, 3))
    assert (read["d"][:3], read["d"][4:]) == ((1, 2, 3), (4, 0))
