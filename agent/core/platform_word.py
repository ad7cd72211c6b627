"""What the platform says under its signature: opened, and the key held against the trust list.

The law: nothing is the platform's word unless a key that the trust list names for this use signed it as exactly this
type. What the fields mean, and whom they are for, is their reader's business.
"""

import re

from agent.core.codes.validity import SKEW_GRACE_S
from agent.core.formats import cbor, cose
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust, TrustedKey

REASON = re.compile(r"[a-z0-9.-]{1,64}")  # record.cddl, batch.cddl, online.cddl
_SKEW_GRACE_MS = SKEW_GRACE_S * 1000


class NotThePlatform(ValueError):
    """The bytes are not the platform's word; the message says why, without their content."""


def open_word(
    signed: bytes, usage: str, external_aad: bytes, trust: Trust, now: Interval, *, has_text_keys: bool = False
) -> object:
    """Return the signed content, decoded. Raises NotThePlatform.

    1. A COSE_Sign1 as cose.cddl has it.
    2. Its key is a platform key of the trust list with the usage, valid now, not revoked, and of the header's
       algorithm.
    3. The signature, with the external_aad of the type, so nothing signed as something else passes.
    4. The content is deterministic CBOR.
    """
    # 1
    try:
        message = cose.decode_sign1(signed)
    except cose.CoseInvalid as error:
        raise NotThePlatform(f"not a signed {usage}: {error}") from error
    # 2
    key = _key(trust, usage, message.key_id, now)
    if key is None or key.key is None:
        raise NotThePlatform(f"signed with a key that the trust list does not name for {usage}s")
    if cose.ALGORITHMS.get(message.alg) != key.alg:
        raise NotThePlatform("signed with another algorithm than its key's")
    # 3
    if not key.key.verify(message.signature, message.to_be_signed(external_aad)):
        raise NotThePlatform("the signature is not the platform's")
    # 4
    try:
        return cbor.decode_deterministic(message.payload, has_text_keys=has_text_keys)
    except cbor.CborInvalid as error:
        raise NotThePlatform("the signed content is not CBOR as agreed") from error


def is_whole(*numbers: object) -> bool:
    """Say whether these are whole numbers of 63 bits; `true` is not one, though Python thinks so."""
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _key(trust: Trust, usage: str, key_id: bytes, now: Interval) -> TrustedKey | None:
    if trust.revoked is not None and trust.revoked.has_kid("platform", key_id):
        return None
    for key in trust.trust_list.with_usage("platform", usage):
        is_over = now.is_certainly_after(key.not_after_s * 1000 + _SKEW_GRACE_MS)
        is_early = now.is_certainly_before(key.not_before_s * 1000 - _SKEW_GRACE_MS)
        if key.key_id == key_id and not is_over and not is_early:
            return key
    return None
