"""Public trust lists in their published shapes, with invented signers (fakes/signers.py), and an intake for them."""

import hashlib
import json
from urllib.parse import quote

from agent.adapters.keys.verification import build_key, read_certificate
from agent.core.public_lists.intake import Choices, Intake
from fakes.ehc_issuer import es256
from fakes.signers import b64, b64url, jwk_of, kid_of, spki_of

NOW_S = 1_795_248_000  # 2026-11-21T08:00:00Z


def intake(**choices):
    """Return an empty intake at NOW_S."""
    return Intake(Choices(**({"source": "test", "now_s": NOW_S} | choices)), build_key, read_certificate)


def refused(one):
    """Return (place, reason) of what was refused."""
    return [(remark.place, remark.reason) for remark in one.refused]


def gateway_entry(der, country="XA", **more):
    """Return an entry of the EU gateway's trust list."""
    return {
        "kid": b64(kid_of(der)), "timestamp": "2026-01-01T00:00:00+00:00", "country": country, "certificateType": "DSC",
        "thumbprint": hashlib.sha256(der).hexdigest(), "signature": "", "rawData": b64(der),
    } | more  # fmt: skip


def german_list(entries, key):
    """Return entries as Germany gives them away: a signature on the first line."""
    body = json.dumps({"certificates": entries}).encode()
    return b64(es256(key, body)).encode() + b"\n" + body


def swedish_list(by_country, key, *, is_encoded):
    """Return (key, DER) pairs by country as Sweden does: a JWS, its payload encoded or not."""
    trust = {
        country: {
            "eku": {},
            "keys": [jwk_of(one) | {"kid": b64(kid_of(der)), "x5c": [b64(der)]} for one, der in signers],
        }
        for country, signers in by_country.items()
    }
    payload = json.dumps({"iss": "https://list.example", "iat": 1, "exp": 2, "dsc_trust_list": trust}).encode()
    header = {"alg": "ES256"} | ({} if is_encoded else {"b64": False, "crit": ["b64"]})
    signed = b64url(json.dumps(header).encode()).encode() + b"."
    signed += b64url(payload).encode() if is_encoded else payload
    return signed + b"." + b64url(es256(key, signed)).encode()


def french_list(ders):
    """Return certificates or bare keys as France does: base64 of base64, by key id."""
    return json.dumps({"certificatesDCC": {b64(kid_of(der)): b64(b64(der).encode()) for der in ders}}).encode()


def british_list(keys):
    """Return bare keys as the United Kingdom does."""
    return json.dumps([{"kid": b64(kid_of(spki_of(key))), "publicKey": b64(spki_of(key))} for key in keys]).encode()


def did_method(key, der, *, participant="XXA", use="DSC", domain="DCC", padding=b"", **jwk):
    """Return a verification method of the WHO's list, version 2. padding: bytes before each coordinate."""
    coordinates = jwk_of(key)
    for name in ("x", "y"):
        coordinates[name] = b64url(padding + spki_of(key)[-64:][32 * (name == "y") :][:32])
    return {
        "id": f"did:web:list.example:v2:trustlist:{domain}:{participant}:{use}#{b64(kid_of(der))}",
        "type": "JsonWebKey2020",
        "controller": "did:web:list.example:v2:trustlist",
        "publicKeyJwk": {
            "kty": "EC", "kid": b64(kid_of(der)), "x5c": [b64(der)], "crv": "P-256",
            "x": coordinates["x"], "y": coordinates["y"],
        } | jwk,
        "domain": domain, "participant": participant, "keyusage": use,
    }  # fmt: skip


def did_method_of_version_1(key, der, participant="xxa"):
    """Return a verification method of the first version: the key id in the DID alone, percent-encoded."""
    method = did_method(key, der)
    del method["publicKeyJwk"]["kid"], method["domain"], method["participant"], method["keyusage"]
    return method | {"id": f"did:web:list.example:trustlist:{participant}#{quote(b64(kid_of(der)), safe='')}"}


def did_document(methods):
    return json.dumps(
        {"@context": [], "id": "did:web:list.example:v2:trustlist", "verificationMethod": methods}
    ).encode()


def crl(jwk, rids, ctr=1, **more):
    """Return an issuer's card revocation list."""
    return {"kid": jwk["kid"], "method": "rid", "ctr": ctr, "rids": rids} | more


def vci_snapshot(issuers):
    """Return the VCI directory's snapshot of {iss: (keys, crls)}."""
    infos = [{"issuer": {"iss": iss, "name": "Invented"}, "keys": k, "crls": c} for iss, (k, c) in issuers.items()]
    return json.dumps(
        {"directory": "https://list.example", "time": "2026-01-01T00:00:00Z", "issuerInfo": infos}
    ).encode()


def revocation_batch(hashes_, **more):
    """Return a batch of the EU gateway's revocation list; commands hold its end against today's clock."""
    return {
        "country": "XA", "expires": "2096-01-01T00:00:00+01:00", "kid": "UNKNOWN_KID", "hashType": "SIGNATURE",
        "entries": [{"hash": b64(one)} for one in hashes_],
    } | more  # fmt: skip
