"""The explanations of this profile. Each names its cases and says why; docs/conformance.md shows those a run met."""

from conformance.explained import Explanation

_HCERT = (
    Explanation(
        "hcert",
        "refused time.future",
        "the file's VALIDATIONCLOCK is earlier than the code's iat: a code from the future is refused; a second after "
        "iat these verify",
        fact="the clock stands before iat",
    ),
    Explanation(
        "hcert",
        "refused time.expired",
        "the file's VALIDATIONCLOCK is later than the code's exp",
        fact="the clock stands after exp",
    ),
    Explanation(
        "hcert",
        "refused key.not-valid-at-issue",
        "iat lies outside the life of the signer's certificate, which the HCERT specification does not allow",
        fact="the certificate was not valid at iat",
    ),
    Explanation(
        "hcert",
        "refused key.expired",
        "the signer's certificate had ended at the file's VALIDATIONCLOCK",
        fact="the certificate had ended at the clock",
    ),
    Explanation(
        "hcert",
        "refused key.not-yet-valid",
        "the signer's certificate had not begun at the file's VALIDATIONCLOCK",
        fact="the certificate had not begun at the clock",
    ),
    Explanation(
        "hcert",
        "refused key.usage",
        "the key usage of the signer's certificate has neither digitalSignature nor contentCommitment: RFC 5280 "
        "§4.2.1.3 has such a key sign no data",
        fact="the certificate's key is not for signatures over data",
    ),
    Explanation(
        "hcert",
        "refused key.usage",
        "the extended key usages of the signer's certificate are for other kinds (test, vaccination, recovery) than "
        "this code; the HCERT specification has verifiers check them, and the file asserts nothing of it",
        fact="the certificate is not for this kind of code",
    ),
    Explanation(
        "hcert",
        "refused key.algorithm-mismatch",
        "the code says ES256, its signer's key is on another curve: ES256 of the HCERT specification is ECDSA on P-256",
        fact="the certificate's key is neither on P-256 nor RSA",
    ),
    Explanation(
        "hcert",
        "refused key.unknown",
        "no trust list takes its signer's certificate: the key is on a curve that HCERT does not have, or an RSA key "
        "outside 2048 to 4096 bits",
        fact="the certificate's key is neither on P-256 nor RSA",
    ),
    Explanation(
        "hcert",
        "refused key.unknown",
        "the file brings no certificate: nobody can say who signed the code",
        fact="no certificate",
    ),
    Explanation(
        "hcert",
        "refused key.other-issuer",
        "iss names another country than the signer's certificate: which of them issued the code nobody can say",
        fact="iss is another country than the certificate's",
    ),
    Explanation(
        "hcert",
        "refused decode.header",
        "signed by another algorithm than ES256 and PS256, which are all that the HCERT specification has",
        fact="neither ES256 nor PS256",
    ),
    Explanation(
        "hcert",
        "refused decode.claims",
        "exp and iat must be there, in seconds: the HCERT specification has a verifier reject what is expired, and "
        "whether the key was valid when it signed cannot be seen without iat",
        fact="without iat or exp in seconds",
    ),
    Explanation(
        "hcert",
        "reads another code, verified",
        "the file's picture holds the code as issued at another moment than its text: that one is read, and verifies",
        fact="the picture holds the code as issued another time",
    ),
)
_PRIMITIVES = (
    *(
        Explanation(
            "wycheproof",
            "no key",
            "HS256, for which no key is ever built; and with any key it would be refused: a character that base64url "
            "lacks stands in it, which RFC 4648 §3.3 has readers reject",
            id=f"json_web_signature_test.json#{number}",
        )
        for number in (372, 373)
    ),
    Explanation(
        "wycheproof",
        "no key",
        "valid by an algorithm that no family here uses (ES256, EdDSA, PS256, RS256 and SM2 are): no key for it is "
        "ever built, so nothing can be verified with it",
        fact="another algorithm than ours",
    ),
    Explanation(
        "wycheproof",
        "no key",
        "shorter RSA keys are too weak, longer ones cost more than a terminal has",
        fact="an RSA key outside 2048 to 4096 bits",
    ),
    Explanation(
        "wycheproof",
        "invalid",
        "a signature is r || s of 64 bytes in every family here: DER is refused",
        fact="a signature in DER",
    ),
    *(
        Explanation(
            "wycheproof",
            "invalid",
            "the key is listed for PS256, the header says PS384 (figure 20 of RFC 7520): the key decides the algorithm",
            id=f"json_web_signature_test.json#{number}",
        )
        for number in (346, 350)
    ),
    Explanation(
        "sm2",
        "no key",
        "one curve only, the recommended one: a key that names another is not built",
        fact="another curve",
    ),
    Explanation(
        "sm2", "invalid", "SM2 here is SM2 with SM3, and nothing in a code says otherwise", fact="hash SHA-256"
    ),
    Explanation(
        "cose",
        "invalid",
        "no COSE_Sign1: a MAC proves nothing to those who do not share its secret",
        fact="a MAC, no signature",
    ),
    Explanation("cose", "invalid", "no COSE_Sign1: encryption proves no issuer", fact="encrypted, no signature"),
    Explanation(
        "cose",
        "invalid",
        "alg counts from the protected header alone: outside it, whoever hands the code on could change it",
        fact="alg outside the protected header",
    ),
    Explanation(
        "cose",
        "invalid",
        "no COSE_Sign1: a code has one signer",
        fact="a COSE_Sign with signers of its own",
    ),
    Explanation(
        "cose",
        "invalid",
        "signed by an algorithm that no family of COSE here uses (ES256 and PS256 are)",
        fact="another algorithm than ours",
    ),
    Explanation(
        "cose",
        "invalid",
        "ES256 of the HCERT specification is ECDSA on P-256; COSE alone would allow other curves",
        fact="a key on another curve than its algorithm's",
    ),
    Explanation(
        "cose", "invalid", "its payload is not in it: a code has nothing beside itself", fact="a detached payload"
    ),
    Explanation("cose", "invalid", "it names no key: a terminal finds keys by their id", fact="without a key id"),
)
_SEALS = (
    *(
        Explanation(
            "vds-nc",
            f"refused key.es{bits}-unavailable",
            "ICAO's report allows ES384 and ES512 as well; no seal in use is known to have them, and they are "
            "refused aloud",
            fact="ES384 or ES512",
        )
        for bits in (384, 512)
    ),
)
_PICTURES = (
    Explanation(
        "gematik",
        "refused decode.task",
        "its task's number is no prescription's, which has five groups of three digits and two digits that check them",
        fact="a task that no prescription can have",
    ),
    Explanation(
        "zxing",
        "not read",
        "nothing certain was found in the picture; how much is read is `make bench`'s to hold (camera)",
        fact="a picture with a truth",
        share_max=0.5,
    ),
    Explanation(
        "zxing",
        "read otherwise",
        "a second bar code stands in the picture, and is read rightly",
        fact="zxing-cpp alone reads this in the picture, too",
        share_max=0.02,  # zxing-cpp could be wrong in it as it is in ours
        among="a picture with a truth",
    ),
    Explanation(
        "zxing",
        "read otherwise",
        "a second bar code stands on the back of this book, as a person sees: 1920081045006",
        id="ean13-2/21.png",
    ),
)
EXPLANATIONS: tuple[Explanation, ...] = (*_HCERT, *_PRIMITIVES, *_SEALS, *_PICTURES)
"""The first that fits a case counts."""
