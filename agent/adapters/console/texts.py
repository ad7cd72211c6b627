"""What a person reads for each reason, in Chinese and English: what happened and what to do next, in one sentence.

Reasons are looked up whole, then by their stage; core knows none of these texts.
"""

from agent.adapters.console.family_texts import (
    CREDENTIAL_STAGES,
    CREDENTIALS,
    DYNAMIC_NOT_ACCEPTED,
    FAMILIES,
    NOT_ACCEPTED,
    OWN_STAGES,
    UNPROVEN,
)
from agent.core.decision import Answer, Decision
from agent.core.verdict import CodeType, Outcome

TITLES: dict[Answer, tuple[str, str]] = {
    Answer.ACCEPT: ("通过", "Accepted"),
    Answer.PROVISIONAL: ("暂时通过", "Accepted for now"),
    Answer.ASK: ("请确认", "Please confirm"),
    Answer.REFUSE: ("未通过", "Not accepted"),
}

_SENTENCES: dict[str, tuple[str, str]] = {
    "ok": ("验证成功，请继续。", "Your code is genuine. Please go on."),
    "confirm.pharmacist": ("请药师核对身份。", "The pharmacist will confirm your identity."),
    "confirm.clinician": ("请医生确认。", "The clinician will confirm."),
    "confirm.patient": ("请您在屏幕上确认。", "Please confirm on the screen."),
    "family.no-offline-proof": (
        "此码无法离线验证，将由工作人员核对。",
        "This code cannot be checked without the network; staff will check it.",
    ),
    "family.unknown": ("无法识别，请出示电子健康卡二维码。", "Not a code we know. Please show your health code."),
    "family.obsolete": (
        "防疫健康码已停用，请出示电子健康卡二维码。",
        "Epidemic codes are no longer in use. Please show your health code.",
    ),
    "policy.dynamic-required": (
        "请在手机上打开动态码后再扫。",
        "Please open the dynamic code on your phone and scan that.",
    ),
    "policy.time-uncertain": ("终端时间待核对，暂时通过。", "This terminal is not sure of the time; accepted for now."),
    "policy.unchecked": (
        "此码暂时无法完整核对，请到人工窗口。",
        "This code cannot be fully checked here. Please go to the desk.",
    ),
    "policy.trust-list-old": ("终端数据待更新，暂时通过。", "This terminal's keys need an update; accepted for now."),
    "policy.trust-list-too-old": (
        "终端数据过期，请到人工窗口。",
        "This terminal's keys are too old. Please go to the desk.",
    ),
    "policy.offline-limit": (
        "离线次数已满，请到人工窗口。",
        "This terminal's offline limit is reached. Please go to the desk.",
    ),
    "policy.none": ("终端尚未就绪，请到人工窗口。", "This terminal is not ready. Please go to the desk."),
    "policy.step-unknown": (
        "终端未配置此环节，请联系工作人员。",
        "This terminal is not set up for this step. Please ask staff.",
    ),
    "policy.not-verifiable": (
        "此码不能用于本环节，请出示动态码。",
        "This code cannot be used here. Please show a dynamic code.",
    ),
    "replay.used": ("此码已使用，请刷新后再扫。", "This code was already used. Please refresh it and scan again."),
    "replay.item": (
        "此盒药品已扫过，请取另一盒，并请药师核对。",
        "This package was scanned before. Take another one, and have the pharmacist check.",
    ),
    "time.item-expired": (
        "此药品或器械已过有效期，请勿使用，交药师处理。",
        "This product is past its expiry. Do not use it; give it to the pharmacist.",
    ),
    "time.expired": ("此码已过期，请刷新后再扫。", "This code has expired. Please refresh it and scan again."),
    "time.future": ("此码尚未生效，请检查手机时间。", "This code is not valid yet. Please check your phone's clock."),
    "key.no-trust-list": ("终端尚未就绪，请稍候。", "This terminal is not ready yet. Please wait a moment."),
    "online.no-answer": (
        "平台没有应答，请稍候再扫，或到人工窗口。",
        "The platform does not answer. Please scan again in a moment, or go to the desk.",
    ),
    "online.used": ("此码已使用，请刷新后再扫。", "This code was already used. Please refresh it and scan again."),
    "online.expired": ("此码已过期，请刷新后再扫。", "This code has expired. Please refresh it and scan again."),
    "online.revoked": ("此卡已注销或挂失，请到人工窗口。", "This card was revoked. Please go to the desk."),
    "online.unknown-card": (
        "平台查无此卡，请到人工窗口。",
        "The platform does not know this card. Please go to the desk.",
    ),
    "online.unknown-token": ("此码不是真码，请联系工作人员。", "This code is not genuine. Please ask staff."),
    "online.not-genuine": ("此码不是真码，请联系工作人员。", "This code is not genuine. Please ask staff."),
    "online": (
        "平台暂时无法核验此码，请稍候再扫，或到人工窗口。",
        "The platform cannot check this code now. Please scan again in a moment, or go to the desk.",
    ),
    "policy": (
        "此码不能用于本环节，请到人工窗口。",
        "This code cannot be used for this step. Please go to the desk.",
    ),
    "decode.parts": (
        "这些码不属于同一张卡，请把卡上的码依次重新出示。",
        "These codes are not of one card. Please show all codes of the card again, one by one.",
    ),
    "decode.parts-missing": (
        "卡上的码没有全部出示，请依次重新出示。",
        "Not all codes of the card were shown. Please show them again, one by one.",
    ),
    "decode.file": ("文件中有多张卡，请一次只出示一张。", "A file with several cards. Please show one at a time."),
    "decode": ("二维码损坏，请重新出示。", "The code is damaged. Please show it again."),
    "signature": ("此码不是真码，请联系工作人员。", "This code is not genuine. Please ask staff."),
    "key": ("发码机构不受信任，请联系工作人员。", "The issuer of this code is not trusted. Please ask staff."),
    "time": ("此码不在有效期内，请刷新后再扫。", "This code is not valid now. Please refresh it and scan again."),
    "revoked": ("此卡已注销或挂失，请到人工窗口。", "This card was revoked. Please go to the desk."),
    "scan.flood": (
        "扫码器连续读码过多，请取下多余的码，稍候再扫。",
        "The scanner reads far too much. Take other codes out of its sight, wait a moment and scan again.",
    ),
    "scan.keys": (
        "扫码器设置与终端不符，请联系工作人员。",
        "The scanner is not set up for this terminal. Please ask staff.",
    ),
    "scan.symbology": (
        "此处不读这种码，请出示电子健康卡二维码。",
        "This kind of code is not read here. Please show your health code.",
    ),
    "scan.lost": (
        "终端太忙，未读全，请稍候再扫。",
        "The terminal was too busy to read all of it. Please wait a moment and scan again.",
    ),
    "scan.damaged": (
        "读出的内容不完整，请再扫一次；若仍如此，请联系工作人员。",
        "What was read is damaged. Please scan again; if it stays so, ask staff.",
    ),
    "scan": ("未读全，请重新扫码。", "Not read completely. Please scan again."),
    "family": ("无法识别，请出示电子健康卡二维码。", "Not a code we know. Please show your health code."),
}

_FALLBACK = ("请联系工作人员。", "Please ask staff.")


def text_for(decision: Decision) -> dict[str, str]:
    """Return what a decision says, nothing personal: zh and en whole, title_zh, title_en and next_zh, next_en apart."""
    title = TITLES[decision.answer]
    sentence = _sentence(decision.reason, decision.verdict.family)
    verdict = decision.verdict
    if verdict.outcome is Outcome.UNVERIFIABLE and decision.answer is not Answer.REFUSE:
        sentence = UNPROVEN.get(verdict.family) or _SENTENCES["family.no-offline-proof"]
    elif decision.reason in NOT_ACCEPTED and verdict.claims.type is CodeType.DYNAMIC:
        sentence = DYNAMIC_NOT_ACCEPTED
    return {
        "zh": f"{title[0]}：{sentence[0]}",
        "en": f"{title[1]}. {sentence[1]}",
        "title_zh": title[0],
        "title_en": title[1],
        "next_zh": sentence[0],
        "next_en": sentence[1],
    }


def _sentence(reason: str, family: str) -> tuple[str, str]:
    """Return the sentence for a reason; a code that the step does not take is called by its name."""
    stage = reason.partition(".")[0]
    if reason in NOT_ACCEPTED and family in FAMILIES:
        return FAMILIES[family]
    if family in CREDENTIALS and stage in CREDENTIAL_STAGES and reason not in OWN_STAGES:
        return CREDENTIAL_STAGES[stage]
    return _SENTENCES.get(reason) or _SENTENCES.get(stage) or _FALLBACK


def has_sentence(reason: str) -> bool:
    """Say whether a reason has a sentence of its own or its stage's."""
    return reason in _SENTENCES or reason.partition(".")[0] in _SENTENCES


def sentences() -> set[tuple[str, str]]:
    """Return every sentence there is, in Chinese and English: a page must have room for each."""
    families = {*FAMILIES.values(), *UNPROVEN.values(), *CREDENTIAL_STAGES.values(), DYNAMIC_NOT_ACCEPTED}
    return {*_SENTENCES.values(), *families, _FALLBACK}
