"""What is done to every channel alike: one scan after another, several at once, unplugging, stalls, floods."""

import time
from collections.abc import Sequence

from lab.guest.bench import HEARD_S_MAX, Bench
from lab.guest.channel import Channel
from lab.journal import Expect
from lab.payloads import ascii_payloads, url

STALL_S = 0.3
STALLS = 4
AFTER_STALL_S = 1.0  # one fault may speak for several scans
QUIET_S = 2.0  # longer than a keyboard's time-out here: what a loss cut off is over
FLOOD_SCANS = 140
SCANS_PER_S_MAX = 2  # set on scanners that are flooded, since nothing is fast in an emulated machine
FLOOD_OVER_S = 4.0  # then there is room for some scans again

Payloads = Sequence[tuple[str, bytes]]


def put_all(channel: Channel, data: bytes) -> None:
    """Send one scan, as fast as its scanner would."""
    for part in channel.parts(data):
        channel.put(part)
        time.sleep(channel.pause_s)


def plug_in(bench: Bench, channel: Channel) -> None:
    """Plug it in and wait until its scanner reads it."""
    bench.plugged(channel.scanner, channel.plug_in)


def plug_in_all(bench: Bench, channels: Sequence[Channel]) -> None:
    """Plug them in together and wait until all are read."""
    before = [bench.listener.presences(channel.scanner) for channel in channels]
    for channel in channels:
        channel.plug_in()
    for channel, times in zip(channels, before, strict=True):
        bench.listener.until_presence(channel.scanner, "present", times + 1)


def unplug(bench: Bench, channel: Channel) -> None:
    """Pull it out and wait until its scanner says so."""
    bench.unplugged(channel.scanner, channel.unplug)


def one_after_another(bench: Bench, row: str, channel: Channel, payloads: Payloads) -> None:
    """Scan them all; every one has to come out exactly."""
    for kind, data in payloads:
        before = bench.listener.heard(channel.scanner)
        bench.write_down(row, kind, channel.scanner, data, aim=channel.aim)
        put_all(channel, data)
        bench.listener.until_heard(channel.scanner, before + 1, HEARD_S_MAX)
    bench.say(row)


def at_once(bench: Bench, row: str, channels: Sequence[Channel], payloads: Sequence[Payloads]) -> None:
    """Scan on all channels at once, a part of each in turn; payloads: for each channel as many as for the first."""
    for turn in zip(*payloads, strict=True):
        before = [bench.listener.heard(channel.scanner) for channel in channels]
        waiting = []
        for channel, (kind, data) in zip(channels, turn, strict=True):
            bench.write_down(row, kind, channel.scanner, data, aim=channel.aim)
            waiting.append((channel, channel.parts(data)))
        pause_s = sum(channel.pause_s for channel in channels)  # each as fast as when it is alone
        while waiting:
            for channel, parts in waiting:
                channel.put(parts.pop(0))
            time.sleep(pause_s)
            waiting = [(channel, parts) for channel, parts in waiting if parts]
        for channel, count in zip(channels, before, strict=True):
            bench.listener.until_heard(channel.scanner, count + 1, HEARD_S_MAX)
    bench.say(row)


def unplug_in_the_middle(bench: Bench, row: str, channel: Channel) -> None:
    """Pull the plug in the middle of a scan, put it back, scan again."""
    for turn in ("first", "second"):
        half = url(f"half a scan, {row}, {turn}").encode()
        bench.write_down(row, "half", channel.scanner, half, expect=Expect.REFUSED)
        parts = channel.parts(half)
        for part in parts[: len(parts) // 2]:
            channel.put(part)
            time.sleep(channel.pause_s)
        bench.listener.until_begun(channel.scanner)
        unplug(bench, channel)
        plug_in(bench, channel)
        whole = url(f"after unplugging, {row}, {turn}").encode()
        one_after_another(bench, row, channel, [("url", whole)])


def stall_meanwhile(bench: Bench, row: str, channel: Channel, expect: Expect = Expect.EITHER) -> None:
    """Stop the agent, scan more than the kernel may keep, let it go on; then scan once more.

    expect: REFUSED where the kernel's buffer is shorter than any of these scans.
    """
    for kind, data in ascii_payloads(f"stalled, {row}")[:STALLS]:
        before = bench.listener.heard(channel.scanner)
        bench.write_down(row, kind, channel.scanner, data, aim=channel.aim, expect=expect)
        bench.listener.stall()
        for part in channel.parts(data):
            channel.put(part)
        time.sleep(STALL_S)
        bench.listener.go_on()
        bench.listener.until_heard(channel.scanner, before + 1, AFTER_STALL_S)
        time.sleep(STALL_S)
    if expect is Expect.REFUSED:  # behind a loss, what ends first may be the tail of what was lost: refused as that
        time.sleep(QUIET_S)
        before = bench.listener.heard(channel.scanner)
        tail = url(f"behind a loss, {row}").encode()
        bench.write_down(row, "url", channel.scanner, tail, aim=channel.aim, expect=Expect.EITHER)
        put_all(channel, tail)
        bench.listener.until_heard(channel.scanner, before + 1, HEARD_S_MAX)
    one_after_another(bench, row, channel, [("url", url(f"after stalling, {row}").encode())])


def flood(bench: Bench, row: str, channel: Channel) -> None:
    """Send more scans than the scanner may make; then, once the flood is over, one more."""
    scans = [f"flood {number:04}".encode() for number in range(FLOOD_SCANS)]
    for data in scans:
        bench.write_down(row, "flood", channel.scanner, data, aim=channel.aim, expect=Expect.EITHER)
    for data in scans:
        put_all(channel, data)
    time.sleep(FLOOD_OVER_S)
    one_after_another(bench, row, channel, [("url", url(f"after the flood, {row}").encode())])
