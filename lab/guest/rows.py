"""What is done to every channel alike: one scan after another, several at once, unplugging, stalls."""

import time
from collections.abc import Sequence

from lab.guest.bench import HEARD_S_MAX, Bench
from lab.guest.channel import Channel
from lab.journal import Expect
from lab.payloads import ascii_payloads, url

HALF_S = 1.2  # the agent has to have read the half before the plug is pulled; less than any time-out
STALL_S = 0.4
STALLS = 4
AFTER_STALL_S = 3.0  # one fault may speak for several scans

Payloads = Sequence[tuple[str, bytes]]


def put_all(channel: Channel, data: bytes) -> None:
    """Send one scan, as fast as its scanner would."""
    for part in channel.parts(data):
        channel.put(part)
        time.sleep(channel.pause_s)


def plug_in(bench: Bench, channel: Channel) -> None:
    """Plug it in and wait until its scanner reads it."""
    bench.plugged(channel.scanner, channel.plug_in)


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
    for turn in ("first", "second", "third"):
        half = url(f"half a scan, {row}, {turn}").encode()
        bench.write_down(row, "half", channel.scanner, half, expect=Expect.REFUSED)
        parts = channel.parts(half)
        for part in parts[: len(parts) // 2]:
            channel.put(part)
            time.sleep(channel.pause_s)
        time.sleep(HALF_S)
        unplug(bench, channel)
        plug_in(bench, channel)
        whole = url(f"after unplugging, {row}, {turn}").encode()
        one_after_another(bench, row, channel, [("url", whole)])


def stall_meanwhile(bench: Bench, row: str, channel: Channel) -> None:
    """Stop the agent, scan more than the kernel keeps, let it go on; then scan once more."""
    for kind, data in ascii_payloads(f"stalled, {row}")[:STALLS]:
        before = bench.listener.heard(channel.scanner)
        bench.write_down(row, kind, channel.scanner, data, aim=channel.aim, expect=Expect.EITHER)
        bench.listener.stall()
        for part in channel.parts(data):
            channel.put(part)
        time.sleep(STALL_S)
        bench.listener.go_on()
        bench.listener.until_heard(channel.scanner, before + 1, AFTER_STALL_S)
        time.sleep(STALL_S)
    one_after_another(bench, row, channel, [("url", url(f"after stalling, {row}").encode())])
