"""A patient's visit, step by step: what is put before which scanner, and what has to come of it."""

import hashlib
import secrets
from collections.abc import Callable
from itertools import count

from demo.journal import Journal
from demo.stage import Stage
from platform_stub.base45 import decode as base45_decode
from platform_stub.base45 import encode as base45_encode
from platform_stub.issuer import national_static_text


def invented_card(journal: Journal) -> Callable[[], bytes]:
    """Return a maker of card ids that belong to nobody; each is noted as a secret."""
    numbers = count(1)
    salt = secrets.token_bytes(8)

    def card() -> bytes:
        made = hashlib.sha256(b"an invented card" + salt + bytes([next(numbers)])).digest()
        journal.secrets += [made.hex(), made.hex()[8:40]]
        return made

    return card


def flip_one_bit(text: str) -> str:
    """Return the code with one bit of its last byte, in the signature, flipped."""
    token = bytearray(base45_decode(text.removeprefix("EHC1:")))
    token[-1] ^= 1
    return f"EHC1:{base45_encode(bytes(token))}"


async def visit(stage: Stage) -> None:
    """Play the whole visit."""
    card = invented_card(stage.journal)
    await _judged_offline(stage, card)
    await _never_fooled(stage, card)
    await _cut_off(stage, card)


async def _judged_offline(stage: Stage, card: Callable[[], bytes]) -> None:
    say, issuer = stage.say, stage.issuer
    registration, payment = stage.setting.registration, stage.setting.payment
    patient = card()
    say("\nA patient arrives with a printed code.")
    static = issuer.mint_static(patient, stage.now_s() - 3_600)
    await stage.scan(registration, "static code", static, "accept")
    say("The same paper at the cashier confirms identity, but payment needs a code that works only once.")
    await stage.scan(payment, "static code", static, "refuse", "policy.dynamic-required")
    dynamic = issuer.mint_dynamic(patient, stage.now_s())
    await stage.scan(payment, "dynamic code", dynamic, "accept")
    say("Somebody took a picture of it and tries again, here and at the other counter.")
    await stage.scan(payment, "the same again", dynamic, "refuse", "replay.used")
    await stage.scan(registration, "the same again", dynamic, "refuse", "replay.used")
    say("One fresh code before both scanners at the same instant: exactly one may win.")
    await stage.race("racing code", issuer.mint_dynamic(card(), stage.now_s()))
    say("A second patient; this issuer signs with Ed25519.")
    await stage.scan(payment, "EdDSA code", issuer.mint_dynamic(card(), stage.now_s(), alg="EdDSA"), "accept")


async def _never_fooled(stage: Stage, card: Callable[[], bytes]) -> None:
    say, issuer = stage.say, stage.issuer
    registration, payment = stage.setting.registration, stage.setting.payment
    say("\nCodes that must not pass: one bit flipped, expired, from the future, of an unknown issuer, noise.")
    now_s = stage.now_s()
    flipped = flip_one_bit(issuer.mint_dynamic(card(), now_s))
    await stage.scan(payment, "code with a flipped bit", flipped, "refuse", "signature.")
    expired = issuer.mint_dynamic(card(), now_s - 3_600)
    await stage.scan(payment, "expired code", expired, "refuse", "time.expired")
    future = issuer.mint_dynamic(card(), now_s + 3_600)
    await stage.scan(payment, "code from the future", future, "refuse", "time.future")
    unknown = stage.stranger.mint_dynamic(card(), now_s)
    await stage.scan(payment, "code of an unknown issuer", unknown, "refuse", "key.")
    await stage.scan(
        registration, "text that is no code", "https://clinic.example/Menu?a=1;b=2", "refuse", "family.unknown"
    )
    await stage.scan(registration, "over-long noise", "7" * 9_000, "refuse", "scan.over-long")
    say("A national text code carries no signature: shown as such, never as genuine.")
    national = national_static_text(card())
    await stage.scan(registration, "national text code", national, "provisional", "family.no-offline-proof")


async def _cut_off(stage: Stage, card: Callable[[], bytes]) -> None:
    say, issuer = stage.say, stage.issuer
    registration, payment = stage.setting.registration, stage.setting.payment
    say("\nThe platform goes away (killed). Patients keep coming.")
    await stage.setting.platform.kill()
    before = issuer.mint_dynamic(card(), stage.now_s())
    await stage.scan(payment, "dynamic code, no platform", before, "accept")
    await stage.scan(registration, "static code, no platform", issuer.mint_static(card(), stage.now_s() - 60), "accept")
    await stage.scan(registration, "national code, no platform", national_static_text(card()), "provisional", "family.")
    say("Half a code has been read when the agent is killed (SIGKILL); it comes up again by itself.")
    interrupted = issuer.mint_dynamic(card(), stage.now_s())
    await stage.half_scan(payment, interrupted)
    await stage.setting.agent.kill()
    await stage.setting.agent.start()
    await stage.setting.display.connected()
    await stage.scan(payment, "the interrupted code, whole", interrupted, "accept")
    say("What was used before the crash stays used.")
    await stage.scan(payment, "code used before the crash", before, "refuse", "replay.used")
    await stage.scan(registration, "static code, no platform", issuer.mint_static(card(), stage.now_s() - 60), "accept")
    say("\nThe platform returns.")
    await stage.setting.platform.start()
    await stage.scan(payment, "dynamic code, platform back", issuer.mint_dynamic(card(), stage.now_s()), "accept")
