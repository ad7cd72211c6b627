// What stands on the kiosk's screen now, and until when. No document, no network: time is an argument, in milliseconds.
//
// The law: nothing outlives its moment. A lost agent clears the screen at once, because the next patient's decision
// could not replace what stands there.

import { masked, word } from "/assets/words.js";

const SHOWN_MS = { accept: 6000, provisional: 8000, refuse: 10000 };
const ASKED_MS = 60000;
const ASKED_MS_MAX = 300000;
const FULL_MS = 60000;
const IDENTIFY_MS = 15000;
const PARTS_MS = 60_000; // as long as the agent waits for a card's other codes
const REQUEST_MS_MAX = 3000; // how long after the decision its request may come
const REQUESTS_KEPT_MAX = 50;
const ENDS = new Set(["confirmed", "cancelled", "lapsed"]);
const BOTH = (key) => ({ zh: word(key, "zh"), en: word(key, "en") });

/** The screen's state. `view(now)` says what to draw; the others take in what happens. */
export class Current {
  constructor() {
    this.link = "up";
    this.status = null;
    this.shown = null; // {view, title, next, name, seq, until, asked_at, …}
    this.full_until = 0;
    this.requests = new Map(); // request id -> seq
  }

  take_link(link) {
    this.link = link;
    if (link !== "up") this.shown = null;
  }

  /** A decision replaces whatever stands there; return the answer to sound. */
  take_decision(event, now) {
    this.full_until = 0;
    const answer = event.answer in SHOWN_MS || event.answer === "ask" ? event.answer : "refuse";
    const text = event.text ?? {};
    const whom = answer === "ask" && String(event.reason).startsWith("confirm.") ? event.reason.slice(8) : "";
    this.shown = {
      view: answer,
      title: { zh: text.title_zh ?? word(answer, "zh"), en: text.title_en ?? word(answer, "en") },
      next: { zh: text.next_zh ?? text.zh ?? "", en: text.next_en ?? text.en ?? "" },
      name: masked(event.name),
      step: event.step,
      seq: event.seq,
      whom,
      asked_at: now,
      until: now + (SHOWN_MS[answer] ?? ASKED_MS),
    };
    if (answer === "ask" && whom !== "patient") this.shown.title = BOTH("ask_staff");
    return answer;
  }

  /** Follow the request of the decision that asks; return the answer to sound, if it came to one. */
  take_request(event, now) {
    if (event.seq !== undefined && event.seq !== null) {
      this.requests.delete(event.request);
      this.requests.set(event.request, event.seq);
      if (this.requests.size > REQUESTS_KEPT_MAX) this.requests.delete(this.requests.keys().next().value);
    }
    const shown = this.shown;
    if (shown?.view !== "ask" || this.requests.get(event.request) !== shown.seq) return null;
    if (!ENDS.has(event.state)) {
      if (event.asks === "patient" && !shown.is_left) {
        Object.assign(shown, { whom: "patient", title: BOTH("ask"), next: BOTH("ask_next") });
      }
      const left_ms = Number(event.expires_in_s) * 1000;
      if (left_ms > 0) shown.until = now + Math.min(left_ms, ASKED_MS_MAX);
      return null;
    }
    const view = event.state === "confirmed" ? "accept" : "refuse";
    const [title, next] = [BOTH(event.state), BOTH(`${event.state}_next`)];
    this.shown = { ...shown, view, title, next, until: now + SHOWN_MS[view] };
    return view;
  }

  /** Take in a notice; return the answer to sound, if any. */
  take_notice(event, now) {
    if (event.topic === "ledger-full") {
      this.shown = null;
      this.full_until = now + FULL_MS;
      return "refuse";
    }
    if (event.topic === "identify") {
      const name = this.status?.terminal ?? "Scanward";
      this.shown = {
        view: "identify", title: { zh: name, en: name }, next: BOTH("identify_next"), name: "", until: now + IDENTIFY_MS,
      };
      return "ask";
    }
    if (event.topic === "parts") {
      const [zh, en] = String(event.text).split(" / ");
      const next = { zh, en: en ?? zh };
      this.shown = { view: "identify", title: BOTH("parts"), next, name: "", until: now + PARTS_MS };
      return "ask";
    }
    return null;
  }

  /** The id of the request the patient may answer on this screen; null where it is not theirs or not known yet. */
  get request() {
    if (this.shown?.view !== "ask" || this.shown.whom !== "patient") return null;
    for (const [id, seq] of this.requests) if (seq === this.shown.seq) return id;
    return null;
  }

  /** The agent does not take this screen's word: a person of the staff answers. */
  leave_to_staff() {
    if (this.shown?.view !== "ask") return;
    Object.assign(this.shown, {
      whom: "", is_left: true, title: BOTH("ask_staff"), next: BOTH("ask_staff_next"),
    });
  }

  /** Take away what stands there. */
  dismiss() {
    this.shown = null;
  }

  /** Return what to draw: {view, title, next} in both languages, and more where something was decided. */
  view(now) {
    if (this.link !== "up") return trouble(this.link);
    if (this.shown !== null && now >= this.shown.until) this.shown = null;
    if (this.shown !== null) {
      const is_theirs = this.shown.view === "ask" && this.shown.whom === "patient";
      if (is_theirs && this.request === null && now - this.shown.asked_at > REQUEST_MS_MAX) this.leave_to_staff();
      return { ...this.shown, may_answer: is_theirs && this.shown.whom === "patient" };
    }
    if (now < this.full_until) return trouble("full");
    if (this.status?.ready === false) return trouble("unready");
    const scanners = this.status?.scanners ?? [];
    if (scanners.length > 0 && scanners.every((scanner) => scanner.presence === "absent")) return trouble("scannerless");
    return { view: "waiting", title: BOTH("waiting"), next: BOTH("waiting_next"), name: "" };
  }
}

function trouble(kind) {
  return { view: "trouble", kind, title: BOTH(kind), next: BOTH(`${kind}_next`), name: "" };
}
