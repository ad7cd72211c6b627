"""Certificates and public keys as PEM (RFC 7468), or one certificate as DER: Aadhaar's, a CSCA, a single signer.

The law: a private key among them is refused aloud. An authority is taken only for VDS-NC, whose codes bring their
signer's certificate.
"""

import re

from agent.core.codes.vds_nc import DOCUMENT_TYPES
from agent.core.public_lists.dcc import take_signer
from agent.core.public_lists.intake import (
    ENTRIES_MAX,
    EntryRefused,
    Intake,
    ListUnreadable,
    base64_of,
    dates_of,
    require_issuer,
    short_hash,
)
from agent.core.trust_list import Certificate

ISSUERS = {"aadhaar": "UIDAI"}  # families with one issuer in the world
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----")


def read(data: bytes, intake: Intake) -> None:
    """Read the blocks of a file. Raises ListUnreadable."""
    if intake.choices.family not in ("aadhaar", "vds-nc", "hcert"):
        raise ListUnreadable("PEM does not say what its keys are for: give --family aadhaar, vds-nc or hcert")
    blocks = [(block[1].decode(), block[2]) for block in _BLOCK.finditer(data)]
    if not blocks and data[:1] == b"\x30":
        _read_block("CERTIFICATE", data, "[0]", intake)
        return
    if not blocks:
        raise ListUnreadable("no PEM block is in it")
    if len(blocks) > ENTRIES_MAX:
        raise ListUnreadable(f"{len(blocks)} blocks; at most {ENTRIES_MAX} are read")
    for index, (label, text) in enumerate(blocks):
        try:
            der = base64_of(b"".join(text.split()).decode(), "the block")
        except EntryRefused as error:
            intake.refuse(f"[{index}]", error)
        else:
            _read_block(label, der, f"[{index}]", intake)


def first_block(data: bytes) -> tuple[str, bytes]:
    """Return the label and the bytes of a file's first block. Raises ListUnreadable."""
    block = _BLOCK.search(data)
    try:
        if block is not None:
            return block[1].decode(), base64_of(b"".join(block[2].split()).decode(), "the block")
    except EntryRefused as error:
        raise ListUnreadable("a PEM block that is not base64") from error
    raise ListUnreadable("no PEM block is in it")


def _read_block(label: str, der: bytes, place: str, intake: Intake) -> None:
    issuer = intake.choices.issuer or ISSUERS.get(intake.choices.family or "")
    try:
        if "PRIVATE KEY" in label:
            raise EntryRefused("private-key", "the file gives a secret away: take it out of it")
        if label == "PUBLIC KEY":
            intake.take_key(intake.choices.family or "", require_issuer(issuer), short_hash(der), der, {})
        elif label == "CERTIFICATE":
            _take_certificate(der, issuer, place, intake)
        else:
            raise EntryRefused("not-a-certificate", f"a block of {label}")
    except EntryRefused as error:
        intake.refuse(place, error, issuer, short_hash(der))


def _take_certificate(der: bytes, issuer: str | None, place: str, intake: Intake) -> None:
    certificate: Certificate = intake.certificate(der)
    if intake.choices.family == "hcert":
        take_signer(intake, place, issuer, short_hash(der), der)
    elif intake.choices.family == "vds-nc" and certificate.is_authority:
        intake.take_authority("vds-nc", require_issuer(issuer), short_hash(der), der)
    elif intake.choices.family == "vds-nc":
        usage = _seal_usage(certificate)
        intake.take_certificate("vds-nc", require_issuer(issuer), short_hash(der), certificate, usage)
    else:  # Aadhaar codes name no key; each is checked with every pinned one, whatever else its certificate is for
        spki = certificate.spki
        intake.take_key("aadhaar", require_issuer(issuer), short_hash(spki), spki, dates_of(certificate))


def _seal_usage(certificate: Certificate) -> list[str]:
    """Return what a signer of seals may sign; without document types in its certificate, whatever there is."""
    types = certificate.document_types
    usage = sorted(kind for kind, document in DOCUMENT_TYPES.items() if document in types)
    if types and not usage:
        raise EntryRefused("not-a-signer", "a signer of other kinds of document")
    return usage
