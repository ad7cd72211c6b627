// What the staff page is drawn with: small pieces of the document. All text goes in as text, never as markup.

import { language, masked, step_name, word as kiosk_word } from "/assets/words.js";
import { STAFF_WORDS } from "/assets/staff-words.js";

const SVG = "http://www.w3.org/2000/svg";
const DEPTH_MAX = 6;

export const word = (key) => kiosk_word(key, language, STAFF_WORDS);

// Notices that somebody has to do something about; the others only tell what has changed.
const URGENT = new Set(["ledger-full", "ledger", "parked", "conflict"]);

/** Make an element: make("p", {class: "none"}, "text", child, …). A property beginning with "on" is a listener. */
export function make(kind, properties = {}, ...children) {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== "" && child !== null && child !== undefined));
  return element;
}

/** The small shape of an answer or a state; `tone` names it. */
export function mark(tone) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#mark-${tone}`);
  svg.append(use);
  return svg;
}

/** One line: shape, title, what it means, and something at its end. */
export function row(tone, title, sentence, ...end) {
  const what = make("div", { class: "what" }, make("strong", {}, title), make("small", {}, sentence));
  return make("li", { class: "row", "data-tone": tone }, mark(tone), what, ...end);
}

/** A notice as one line: what it is about in the page's language, what the agent says in the agent's, which is English. */
export function notice_row({ topic, text }, when) {
  const title = `notice_${topic}` in STAFF_WORDS ? word(`notice_${topic}`) : topic;
  const line = row(URGENT.has(topic) ? "trouble" : "none", title, text ?? "", make("span", { class: "when" }, when));
  line.querySelector("small").lang = "en";
  return line;
}

/** A decision as one line; `when` is empty for what happened before the page was opened. */
export function decision_row(event, when) {
  const text = event.text ?? {};
  const title = text[`title_${language}`] ?? kiosk_word(event.answer);
  const about = [step_name(event.step), event.scanner, `${word("record")} ${event.seq}`].join(" · ");
  const name = masked(event.name);
  const line = row(event.answer, title, text[`next_${language}`] ?? text[language] ?? "", make("span", { class: "when" }, when));
  if (name) line.querySelector("strong").after(name);
  line.querySelector(".what").append(make("small", {}, about));
  return line;
}

/** The lines that say how the terminal is and what to do. `status`: GET /v1/status; `delivery`: the last such event. */
export function state_rows(status, delivery) {
  const lines = [];
  lines.push(delivery_row(status, delivery));
  if ("trust" in status) {
    const freshness = status.trust?.freshness ?? "none";
    lines.push(row(freshness === "fresh" ? "accept" : "trouble", word("trust"), word(`trust_${freshness}`)));
  }
  for (const scanner of status.scanners ?? []) lines.push(scanner_row(scanner));
  return lines;
}

/** A scanner as one line. Why it is absent is said in the agent's language, which is English: it is for technicians. */
function scanner_row({ id, step, presence, why, faults }) {
  const tone = presence === "present" ? "accept" : presence === "absent" ? "trouble" : "provisional";
  const title = [`${word("scanner")} ${id}`, step_name(step)].filter(Boolean).join(" · ");
  const line = row(tone, title, word(`scanner_${presence ?? "unknown"}`));
  if (why) line.querySelector(".what").append(make("small", { lang: "en" }, why));
  const told = Object.entries(faults ?? {}).map(([fault, count]) => {
    const name = `fault_${fault}` in STAFF_WORDS ? word(`fault_${fault}`) : fault;
    return `${name} ${count}`;
  });
  if (told.length > 0) line.querySelector(".what").append(make("small", {}, word("scan_faults") + told.join(", ")));
  return line;
}

function delivery_row(status, delivery) {
  const is_up = delivery?.is_up ?? status.uplink?.is_up ?? false;
  const waiting = delivery?.waiting ?? status.uplink?.waiting ?? 0;
  const key = !is_up ? "delivery_down" : waiting > 0 ? "delivery_waiting" : "delivery_done";
  const number = key === "delivery_done" ? "" : String(waiting);
  return row(is_up ? "accept" : "trouble", word("delivery"), word(key) + number);
}

/** Any JSON as nested lists of terms. */
export function tree(value, depth = 0) {
  if (value === null || typeof value !== "object" || depth >= DEPTH_MAX) return make("span", {}, plain(value));
  const list = make("dl");
  for (const [key, inner] of Object.entries(value)) {
    list.append(make("dt", {}, key), make("dd", {}, tree(inner, depth + 1)));
  }
  return list;
}

const plain = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "–"));
