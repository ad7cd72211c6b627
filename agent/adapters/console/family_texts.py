"""What a person reads where a code is not for this step: what it is, by its family, and what to show instead.

And the words that differ for credentials of paper and wallets: nobody refreshes those.
"""

NOT_ACCEPTED = frozenset({"policy.not-verifiable", "policy.code-not-accepted"})
"""The reasons that only say that the step does not list the family."""

_LABELS: dict[str, tuple[str, str]] = {
    "insurance": ("医保电子凭证", "an insurance e-voucher"),
    "resident-id": ("身份证号", "an identity card number"),
    "hospital-card": ("就诊卡", "a hospital card"),
    "e-prescription": ("电子处方", "an e-prescription"),
    "covid-code": ("旧的防疫健康码", "an old epidemic code"),
    "hcert": ("国际疫苗接种凭证", "an international health certificate"),
    "shc": ("SMART健康卡", "a SMART Health Card"),
    "aadhaar": ("印度Aadhaar身份码", "an Aadhaar identity code"),
    "vds-nc": ("国际旅行健康证明", "a health proof for travel"),
    "drug-trace": ("药品追溯码", "a drug trace code"),
    "gs1": ("商品条码", "a product code"),
    "udi-ma": ("医疗器械码", "a medical device code"),
}

FAMILIES: dict[str, tuple[str, str]] = {
    family: (f"这是{zh}，不能用于本环节，请出示电子健康卡二维码。", f"This is {en}. Please show your health code here.")
    for family, (zh, en) in _LABELS.items()
}
"""One sentence a family, for steps that do not take it."""

_PAYMENT = (
    "这是付款码，不是健康码，请出示电子健康卡二维码。",
    "This is a payment code, not a health code. Please show your health code.",
)
FAMILIES |= dict.fromkeys(("wechat-pay", "alipay", "unionpay"), _PAYMENT)

UNPROVEN: dict[str, tuple[str, str]] = {
    family: (f"这是{zh}，已登记，由工作人员核对。", f"This is {en}. It is recorded; staff will check it.")
    for family, (zh, en) in _LABELS.items()
    if family in ("drug-trace", "gs1", "udi-ma")
}
"""What nothing proves, with the network or without, where the step takes it all the same."""

DYNAMIC_NOT_ACCEPTED = (
    "本环节不能使用此动态码，请到人工窗口。",
    "This dynamic code cannot be used here. Please go to the desk.",
)
"""Where a national dynamic code is not for this step: another one would not be either."""

CREDENTIALS = frozenset({"hcert", "shc", "aadhaar", "vds-nc"})
"""Families of credentials that are issued once, for months or years."""

CREDENTIAL_STAGES: dict[str, tuple[str, str]] = {
    "time": (
        "此证明不在有效期内，请联系发证机构，或到人工窗口。",
        "This credential is not valid now. Please ask its issuer for a new one, or go to the desk.",
    ),
    "revoked": ("此证明已被撤销，请到人工窗口。", "This credential was revoked. Please go to the desk."),
    "key": (
        "终端不认识此证明的发证机构，请到人工窗口。",
        "This terminal does not know the issuer of this credential. Please go to the desk.",
    ),
}
"""By the reason's first word, in the place of what is said of codes."""

OWN_STAGES = frozenset({"key.no-trust-list"})
"""Reasons of the terminal itself, said alike whatever was shown."""
