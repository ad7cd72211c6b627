"""A patient's visit, step by step: what is put before which scanner, and what has to come of it."""

import hashlib
import secrets
from collections.abc import Callable
from itertools import count

from demo.journal import Journal
from demo.setting import is_delivering_over
from demo.stage import Stage
from platform_stub.issuing.issuer import national_dynamic_text, national_static_text
from platform_stub.issuing.national import NationalCodes
from platform_stub.layout import Layout
from platform_stub.wire.base45 import decode as base45_decode
from platform_stub.wire.base45 import encode as base45_encode

NAME, NUMBER = "Nemo Nobody-Invented", "000000190001010000"  # nobody's: planted, to be looked for in every log
NATIONAL = ("provisional", "family.no-offline-proof")


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
    say, issuer, now_s = stage.say, stage.issuer, stage.now_s
    registration, payment = stage.setting.registration, stage.setting.payment
    patient = card()
    static = issuer.mint_static(patient, now_s() - 3_600)
    say("\nA patient arrives with a printed code.")
    await stage.scan(registration, "static code", lambda: static, "accept")
    say("The same paper at the cashier confirms identity, but payment needs a code that works only once.")
    await stage.scan(payment, "static code", lambda: static, "refuse", "policy.dynamic-required")
    used = await stage.scan(payment, "dynamic code", lambda: issuer.mint_dynamic(patient, now_s()), "accept")
    say("Somebody took a picture of it and tries again at once, here and at the other counter.")
    await stage.scan_at_once(payment, "the same again", used, "refuse", "replay.used")
    await stage.scan_at_once(registration, "the same again", used, "refuse", "replay.used")
    say("One fresh code before both scanners at the same instant: exactly one may win.")
    await stage.race("racing code", lambda: issuer.mint_dynamic(card(), now_s()))
    say("A second patient; this issuer signs with Ed25519.")
    await stage.scan(payment, "EdDSA code", lambda: issuer.mint_dynamic(card(), now_s(), alg="EdDSA"), "accept")
    say("A third; SM2 with SM3, as Chinese issuers sign.")
    await stage.scan(payment, "SM2 code", lambda: issuer.mint_dynamic(card(), now_s(), alg="SM2"), "accept")
    flipped = flip_one_bit(issuer.mint_dynamic(card(), now_s(), alg="SM2"))
    await stage.scan_at_once(payment, "SM2 code, one bit flipped", flipped, "refuse", "signature.")


async def _never_fooled(stage: Stage, card: Callable[[], bytes]) -> None:
    codes = NationalCodes(Layout(stage.setting.platform_folder))
    say, issuer, now_s = stage.say, stage.issuer, stage.now_s
    registration, payment = stage.setting.registration, stage.setting.payment
    say("\nCodes that must not pass: one bit flipped, expired, from the future, of an unknown issuer, noise.")

    def flipped() -> str:
        return flip_one_bit(issuer.mint_dynamic(card(), now_s()))

    def stale() -> str:
        return issuer.mint_dynamic(card(), now_s() - 3_600)

    def early() -> str:
        return issuer.mint_dynamic(card(), now_s() + 3_600)

    def unknown() -> str:
        return stage.stranger.mint_dynamic(card(), now_s())

    await stage.scan(payment, "code with a flipped bit", flipped, "refuse", "signature.")
    await stage.scan(payment, "expired code", stale, "refuse", "time.expired")
    await stage.scan(payment, "code from the future", early, "refuse", "time.future")
    await stage.scan(payment, "code of an unknown issuer", unknown, "refuse", "key.unknown-issuer")
    stage.journal.secrets += [NAME, NUMBER]
    other = f"https://clinic.example/Form?name={NAME};id={NUMBER}"
    await stage.scan(registration, "text that is no code", lambda: other, "refuse", "family.unknown")
    await stage.scan(registration, "over-long noise", lambda: "7" * 9_000, "refuse", "scan.over-long")
    say("A national text code carries no signature: shown as such, never as genuine.")
    await stage.scan(registration, "national text code", lambda: national_static_text(card()), *NATIONAL)
    say("Its one-time form is settled by the platform's word; of a token that somebody made up it knows nothing.")
    await stage.scan(payment, "national one-time code", lambda: codes.mint_dynamic(card(), now_s()), "accept")
    await stage.scan(payment, "made-up token", lambda: national_dynamic_text(card()), "refuse", "online.unknown-token")


async def _cut_off(stage: Stage, card: Callable[[], bytes]) -> None:
    say, issuer, now_s = stage.say, stage.issuer, stage.now_s
    registration, payment = stage.setting.registration, stage.setting.payment
    codes = NationalCodes(Layout(stage.setting.platform_folder))

    def static() -> str:
        return issuer.mint_static(card(), now_s() - 60)

    def dynamic() -> str:
        return issuer.mint_dynamic(card(), now_s())

    say("\nThe cable to the broker is pulled: HTTP takes over, with the same records.")
    await stage.setting.to_broker.pull()
    await stage.setting.until(is_delivering_over("http"))
    await stage.scan(payment, "dynamic code, over HTTP", dynamic, "accept")
    asked = "national one-time code, over HTTP"
    await stage.scan(payment, asked, lambda: codes.mint_dynamic(card(), now_s()), "accept")
    await stage.arrived("over HTTP")
    say("Then the other cable, and the platform is killed. Patients keep coming.")
    await stage.setting.to_platform.pull()
    await stage.setting.platform.kill()
    await stage.scan(registration, "static code, no platform", static, "accept")
    await stage.scan(registration, "national code, no platform", lambda: national_static_text(card()), *NATIONAL)
    asked = "national one-time code, no platform"
    await stage.scan(payment, asked, lambda: national_dynamic_text(card()), "refuse", "online.no-answer")
    before = await stage.scan(payment, "dynamic code, no platform", dynamic, "accept")
    say("Half of another code has been read when the agent is killed (SIGKILL); it is started again.")
    interrupted = dynamic()
    await stage.half_scan(payment, interrupted)
    await stage.setting.agent.kill()
    await stage.setting.agent.start()
    await stage.setting.display.connected()
    await stage.onlookers.open_pages()
    await stage.scan_at_once(payment, "the interrupted code, whole", interrupted, "accept")
    say("What was used before the crash stays used.")
    await stage.scan_at_once(payment, "code used before the crash", before, "refuse", "replay.used")
    await stage.scan(registration, "static code, no platform", static, "accept")
    say("\nPlatform and both cables return; MQTT is preferred again.")
    await stage.setting.platform.start()
    await stage.setting.to_platform.plug_in()
    await stage.setting.to_broker.plug_in()
    await stage.setting.until(is_delivering_over("mqtt"))
    await stage.scan(payment, "dynamic code, all back", dynamic, "accept")
    await stage.scan(payment, "SM2 code, all back", lambda: issuer.mint_dynamic(card(), now_s(), alg="SM2"), "accept")
    asked = "national one-time code, all back"
    await stage.scan(payment, asked, lambda: codes.mint_dynamic(card(), now_s()), "accept")
    await stage.arrived("over MQTT")
