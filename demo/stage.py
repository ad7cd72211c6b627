"""The stage: presents codes to scanners and keeps the journal of what had to come of them and what was shown."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from demo.journal import Journal, Presented
from demo.onlookers import Onlookers
from demo.setting import Setting
from demo.tty import TtyScanner
from demo.verdict import identities_held
from platform_stub.issuing.issuer import Issuer

READ_S_MAX = 5.0
DELIVERY_S_MAX = 60.0
Mint = Callable[[], str]
"""Makes a code at the moment it is shown."""

MARKS = {"accept": "✔", "provisional": "~", "ask": "?", "refuse": "✘"}


@dataclass(slots=True)
class Stage:
    """Everything the visit plays on."""

    setting: Setting
    issuer: Issuer
    stranger: Issuer  # issues codes that no trust list names
    journal: Journal
    say: Callable[[str], None]
    onlookers: Onlookers
    pause: Callable[[str], Awaitable[None]]  # waits for a person, told what comes next; or goes on at once

    def now_s(self) -> int:
        """Return the time codes are minted at."""
        return int(time.clock_gettime(time.CLOCK_REALTIME))

    async def scan(self, scanner: TtyScanner, what: str, mint: Mint, answer: str, reason: str = "ok") -> str:
        """Let a person get ready, then mint a code and put it before one scanner; return the code."""
        await self.pause(f"{what} at {scanner.id}")
        return await self.scan_at_once(scanner, what, mint(), answer, reason)

    async def scan_at_once(self, scanner: TtyScanner, what: str, text: str, answer: str, reason: str = "ok") -> str:
        """Put a code before one scanner and wait for what the display shows; for codes that would expire in a pause."""
        one = self._present(scanner, what, text, answer, reason)
        scanner.type(text)
        one.shown = await self.setting.display.next_decision(scanner.id)
        self._tell(one)
        return text

    async def race(self, what: str, mint: Mint) -> None:
        """Put one code before both scanners at the same instant: exactly one may accept it."""
        await self.pause(f"{what} at both scanners")
        text = mint()
        number = len(self.journal.races()) + 1
        both = (self.setting.registration, self.setting.payment)
        pair = [self._present(scanner, what, text, "accept|refuse", "") for scanner in both]
        for one in pair:
            one.race = number
        for scanner in both:
            scanner.type(text)
        for one, scanner in zip(pair, both, strict=True):
            one.shown = await self.setting.display.next_decision(scanner.id)
            self._tell(one)

    async def half_scan(self, scanner: TtyScanner, text: str) -> None:
        """Send the first half of a code and wait until the agent has read it out of the kernel."""
        self.plant(text)
        scanner.type_part(text[: len(text) // 2])
        async with asyncio.timeout(READ_S_MAX):
            while scanner.unread_bytes:
                await asyncio.sleep(0.005)

    async def arrived(self, way: str) -> None:
        """Wait until the platform holds every record shown so far; where it does not in time, the journal says so."""
        shown = {one.identity for one in self.journal.presented if one.identity is not None}
        deadline_s = time.monotonic() + DELIVERY_S_MAX
        while time.monotonic() < deadline_s:
            if shown <= identities_held(self.setting.database):
                self.say(f"      All {len(shown)} records are at the platform, {way}.")
                return
            await asyncio.sleep(0.1)
        self.journal.faults.append(f"not everything arrived in {DELIVERY_S_MAX:.0f} s, {way}")

    def plant(self, text: str) -> None:
        """Note a text that must appear in no log: the whole, and pieces of it."""
        body = text.removeprefix("EHC1:")
        self.journal.secrets += [body, body[20:60], body[-40:]]

    def _present(self, scanner: TtyScanner, what: str, text: str, answer: str, reason: str) -> Presented:
        self.plant(text)
        one = Presented(what, scanner.id, answer, reason)
        self.journal.presented.append(one)
        return one

    def _tell(self, one: Presented) -> None:
        if one.shown is None:
            self.say(f"  ✘ {one.what} at {one.scanner}: NOTHING was shown")
            return
        texts = one.shown["text"]
        mark = MARKS.get(str(one.shown["answer"]), "!")
        sentence = f"{texts['zh']}  {texts['en']}" if isinstance(texts, dict) else ""
        note = "" if one.is_as_expected else f"   << expected {one.answer} {one.reason}"
        self.say(f"  {mark} {one.what} at {one.scanner}: {one.shown['reason']}   {sentence}{note}")
