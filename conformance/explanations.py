"""The explanations of this profile. Each names its cases and says why; docs/conformance.md shows those a run met."""

from conformance.explained import Explanation

_HCERT = "hcert"
_WYCHEPROOF = "wycheproof"
_COSE = "cose"

EXPLANATIONS: tuple[Explanation, ...] = (
    # hcert: the files' own clocks and certificates against the HCERT specification (eHealth Network, volume 1)
    Explanation(
        _HCERT, "refused time.future",
        "the file's VALIDATIONCLOCK is earlier than the code's iat: a code from the future is refused, and these verify a second "
        "after iat",
        fact="the clock stands before iat",
    ),
    Explanation(
        _HCERT, "refused time.expired", "the file's VALIDATIONCLOCK is later than the code's exp",
        fact="the clock stands after exp",
    ),
    Explanation(
        _HCERT, "refused key.not-valid-at-issue",
        "the code's iat lies outside its signer's certificate: the specification (volume 1) says that it must not",
        fact="the certificate was not valid at iat",
    ),
    Explanation(
        _HCERT, "refused key.expired", "the signer's certificate had ended at the file's VALIDATIONCLOCK",
        fact="the certificate is not valid at the clock",
    ),
    Explanation(
        _HCERT, "refused key.usage",
        "the extended key usage of the signer's certificate is for other kinds (vaccination, test, recovery) than this code: the "
        "specification has verifiers check it, and the file asserts nothing of it",
        fact="the certificate is not for this kind of code",
    ),
    Explanation(
        _HCERT, "refused key.algorithm-mismatch",
        "the code says ES256, its signer's key is on another curve than P-256: the specification's ES256 is ECDSA on P-256",
        fact="the certificate's key is neither on P-256 nor RSA",
    ),
    Explanation(
        _HCERT, "reads another code, verified",
        "the file's picture holds the code as it was issued at another moment than its text; that one is read, and verifies",
        fact="the picture holds the code as issued another time",
    ),
    # wycheproof
    Explanation(
        _WYCHEPROOF, "no key",
        "valid by an algorithm that no family here uses: a key for it is never built, so nothing can be verified with it (ES256, "
        "EdDSA, PS256, RS256 and SM2 are)",
        fact="another algorithm than ours",
    ),
    Explanation(
        _WYCHEPROOF, "no key", "shorter keys are too weak, longer ones cost more than a terminal has",
        fact="an RSA key outside 2048 to 4096 bits",
    ),
    Explanation(
        _WYCHEPROOF, "invalid", "a signature is r || s of 64 bytes in every family here; DER is refused",
        fact="a signature in DER",
    ),
    *(
        Explanation(
            _WYCHEPROOF, "invalid",
            "the key is listed for PS256, the header says PS384 (RFC 7520, figure 20): the key decides the algorithm",
            id=f"json_web_signature_test.json#{number}",
        )
        for number in (346, 350)
    ),
    # sm2
    Explanation(
        "sm2", "no key", "one curve only, the recommended one of GB/T 32918.5: a key on another is not built",
        fact="another curve",
    ),
    Explanation(
        "sm2", "invalid", "SM2 here is SM2 with SM3, and nothing in a code says otherwise", fact="hash SHA-256"
    ),
    # cose
    Explanation(_COSE, "invalid", "no COSE_Sign1: a MAC proves nothing to who does not share its secret", fact="a MAC, no signature"),
    Explanation(_COSE, "invalid", "no COSE_Sign1: encryption proves no issuer", fact="encrypted, no signature"),
    Explanation(
        _COSE, "invalid", "alg counts from the protected header alone: outside it, whoever hands the code on can change it",
        fact="alg outside the protected header",
    ),
    Explanation(_COSE, "invalid", "it names no key: a terminal finds keys by their id", fact="without a key id"),
)  # fmt: skip
