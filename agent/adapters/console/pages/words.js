// Words of the kiosk page in both languages, and which language is spoken. Texts of decisions come with their events.

export const LANGUAGES = { zh: "zh-CN", en: "en" };
const KEY = "scanward-language";

export const WORDS = {
  page: { zh: "健康码扫码终端", en: "Health code terminal" },
  waiting: { zh: "请出示健康码", en: "Please show your health code" },
  waiting_next: { zh: "将二维码对准扫码口。", en: "Hold the code in front of the scanner." },
  accept: { zh: "通过", en: "Accepted" },
  provisional: { zh: "暂时通过", en: "Accepted for now" },
  ask: { zh: "请确认", en: "Please confirm" },
  refuse: { zh: "未通过", en: "Not accepted" },
  ask_next: { zh: "请您在屏幕上确认。", en: "Please confirm on the screen." },
  ask_staff: { zh: "请稍候", en: "Please wait" },
  ask_staff_next: { zh: "工作人员将为您确认。", en: "Staff will confirm." },
  yes: { zh: "是，请继续", en: "Yes, go on" },
  no: { zh: "否，取消", en: "No, cancel" },
  again: { zh: "没有送达，请再按一次。", en: "That did not get through. Please press again." },
  confirmed: { zh: "已确认", en: "Confirmed" },
  confirmed_next: { zh: "请继续。", en: "Please go on." },
  cancelled: { zh: "已取消", en: "Cancelled" },
  cancelled_next: { zh: "如需办理，请重新扫码。", en: "Nothing was done. Scan again if you wish." },
  lapsed: { zh: "已超时", en: "Time is up" },
  lapsed_next: { zh: "请重新扫码。", en: "Please scan again." },
  lost: { zh: "终端正在恢复", en: "One moment" },
  lost_next: { zh: "请稍候，暂时不要扫码。", en: "The terminal is coming back. Please do not scan yet." },
  unlinked: { zh: "屏幕未登录", en: "Screen not linked" },
  unlinked_next: {
    zh: "请工作人员用 scanward console link 登录此屏幕。",
    en: "Staff: link this screen with scanward console link.",
  },
  unready: { zh: "终端准备中", en: "Getting ready" },
  unready_next: { zh: "请稍候，或到人工窗口。", en: "Please wait a moment, or go to the desk." },
  full: { zh: "暂停使用", en: "Out of use" },
  full_next: { zh: "终端存储已满，请到人工窗口。", en: "The terminal's storage is full. Please go to the desk." },
  scannerless: { zh: "扫码器未连接", en: "No scanner" },
  scannerless_next: { zh: "请到人工窗口。", en: "The scanner is not connected. Please go to the desk." },
  identify_next: { zh: "本终端编号。", en: "This is the terminal's number." },
  parts: { zh: "请继续扫码", en: "More codes to scan" },
  offline: { zh: "网络暂断，可照常使用", en: "No network: go on as usual" },
  scanner_absent: { zh: "一个扫码器未连接", en: "One scanner is not connected" },
  record: { zh: "记录", en: "Record" },
  volume: { zh: "音量", en: "Volume" },
  volume_0: { zh: "关", en: "off" },
  volume_1: { zh: "低", en: "low" },
  volume_2: { zh: "中", en: "medium" },
  volume_3: { zh: "高", en: "high" },
  volume_locked: { zh: "触摸屏幕后有声", en: "touch the screen for sound" },
};

const STEPS = {
  registration: { zh: "挂号", en: "Registration" },
  "check-in": { zh: "签到候诊", en: "Check-in" },
  consultation: { zh: "就诊", en: "Consultation" },
  examination: { zh: "检查检验", en: "Examination" },
  payment: { zh: "缴费", en: "Payment" },
  "inpatient-deposit": { zh: "住院预缴", en: "Inpatient deposit" },
  dispensing: { zh: "取药", en: "Dispensing" },
  "report-printing": { zh: "报告打印", en: "Report printing" },
  "record-query": { zh: "健康档案", en: "Health records" },
  "paper-code": { zh: "发码", en: "Paper code" },
  "card-linking": { zh: "就诊卡绑定", en: "Card linking" },
  "family-doctor": { zh: "家庭医生签约", en: "Family doctor" },
  "health-management": { zh: "健康管理", en: "Health management" },
  admission: { zh: "住院", en: "Admission" },
  ward: { zh: "病房", en: "Ward" },
};

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that stores nothing
  }
}

export let language = remembered() === "en" ? "en" : "zh";

/** Return the language that is not spoken. */
export const other = () => (language === "zh" ? "en" : "zh");

/** Speak the other language, and remember it. */
export function switch_language() {
  language = other();
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // then only until the page is loaded anew
  }
  document.documentElement.lang = LANGUAGES[language];
}

/** Return a word in a language; words of another page are passed in. */
export const word = (key, speak = language, words = WORDS) => words[key]?.[speak] ?? key;

/** Return the name of a medical step; one that only a site knows is shown as it is called there. */
export const step_name = (step) => STEPS[step]?.[language] ?? step ?? "";

/** Return a name if it is masked: at most two characters are not "*" (online.cddl). Any other is never shown. */
export function masked(name) {
  if (typeof name !== "string" || name.length > 32 || !name.includes("*")) return "";
  return [...name].filter((character) => character !== "*").length <= 2 ? name : "";
}

document.documentElement.lang = LANGUAGES[language];
