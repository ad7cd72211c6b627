// The kiosk page: draws what stands now (current.js), sounds it and says it to screen readers.
// A keyboard works throughout; a scanner that types into the page presses nothing, because no button is focused for it.

import { Current } from "/assets/current.js";
import { ask, follow } from "/assets/live.js";
import { Speaker, VOLUMES } from "/assets/sounds.js";
import { LANGUAGES, language, other, step_name, switch_language, word } from "/assets/words.js";

const REPLAY_MS = 4000; // a decision missed during a shorter gap still concerns who stands there
const FROZEN_MS = 3000; // without a tick: the machine slept, and what comes now is old
const TICK_MS = 250;
const VOLUME_KEY = "scanward-volume";
const YEAR_MIN = 2024; // a clock below that was never set

const at = (id) => document.getElementById(id);
const now_ms = () => performance.now();

const current = new Current();
const speaker = new Speaker(draw_volume);
let volume = remembered_volume();
let drawn = ""; // what stands in the document, so that nothing is written twice
let ticked_at = now_ms();
let is_sending = false;
let trouble_telling = false; // the patient's answer did not get through

function remembered_volume() {
  try {
    const level = Number(localStorage.getItem(VOLUME_KEY) ?? 2);
    return level in VOLUMES ? level : 2;
  } catch {
    return 2;
  }
}

function write(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Say it to screen readers; a new paragraph is announced also where its text is that of the last. */
function announce(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  at("announcement").replaceChildren(paragraph);
}

/** Draw what stands now. is_new: it has just been decided, also where it looks like the last. */
function draw(is_new = false) {
  const view = current.view(now_ms());
  const next = trouble_telling && view.may_answer ? word("again") : view.next[language];
  const whole = JSON.stringify([view, language, next, current.request, is_sending]);
  if (whole === drawn && !is_new) return;
  const is_changed = document.body.dataset.view !== view.view || at("title").textContent !== view.title[language];
  drawn = whole;
  document.body.dataset.view = view.view;
  document.body.dataset.kind = view.kind ?? "";
  document.title = `${view.title[language]} · ${word("page")}`;
  at("shape").setAttribute("href", `#shape-${view.view}`);
  write("title", view.title[language]);
  write("also", view.title[other()] === view.title[language] ? "" : view.title[other()]);
  at("also").lang = LANGUAGES[other()];
  write("sentence", next);
  write("name", view.name ?? "");
  at("name").hidden = !view.name;
  write("meta", view.seq ? `${word("record")} ${view.seq}` : "");
  draw_choice(view);
  draw_frame(view);
  if (is_new) arrive();
  if (is_new || is_changed) announce([view.title[language], view.name, next].filter(Boolean).join(" "));
}

function draw_choice(view) {
  const was_hidden = at("choice").hidden;
  at("choice").hidden = !view.may_answer;
  for (const id of ["yes", "no"]) {
    write(id, word(id));
    at(id).disabled = is_sending || current.request === null;
  }
  if (was_hidden && view.may_answer) at("title").focus(); // the next Tab is on "yes"; Enter alone answers nothing
}

function draw_frame(view) {
  const waits = current.status?.request?.state === "open" ? current.status.request : null; // the next scan is for this
  write("step", step_name(view.step ?? waits?.step ?? current.status?.step ?? current.status?.scanners?.[0]?.step));
  write("terminal", current.status?.terminal ?? "");
  write("language", other() === "en" ? "English" : "中文");
  at("language").lang = LANGUAGES[other()];
  draw_volume();
  draw_clock();
  draw_marks();
}

function draw_marks() {
  const scanners = current.status?.scanners ?? [];
  const marks = [
    current.link === "up" && (current.status?.uplink_up ?? current.status?.uplink?.is_up) === false && word("offline"),
    scanners.some((scanner) => scanner.presence === "absent") && word("scanner_absent"),
  ].filter(Boolean);
  if ([...at("marks").children].map((mark) => mark.textContent).join() === marks.join()) return;
  at("marks").replaceChildren(...marks.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function draw_volume() {
  const button = at("volume");
  const locked = speaker.is_locked && volume > 0 ? ` (${word("volume_locked")})` : "";
  button.dataset.volume = volume;
  button.toggleAttribute("data-locked", locked !== "");
  button.setAttribute("aria-label", `${word("volume")}: ${word(`volume_${volume}`)}${locked}`);
}

function draw_clock() {
  const now = new Date();
  const is_set = now.getFullYear() >= YEAR_MIN;
  write("clock", is_set ? now.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" }) : "");
}

function arrive() {
  const [shape] = document.getElementsByClassName("shape");
  shape.classList.remove("arrives");
  void shape.offsetWidth; // begins the movement anew
  shape.classList.add("arrives");
}

/** Draw and sound something that has just happened. */
function happen(answer) {
  trouble_telling = false;
  draw(true);
  speaker.play(answer, volume);
}

function take(topic, data) {
  const now = now_ms();
  if (now - ticked_at > FROZEN_MS) return; // old by as much as the machine slept
  if (topic === "decision") return happen(current.take_decision(data, now));
  const answer = topic === "request" ? current.take_request(data, now)
    : topic === "notice" ? current.take_notice(data, now) : null;
  if (answer !== null) happen(answer);
  else draw();
}

async function answer_request(verb) {
  const id = current.request;
  if (id === null || is_sending) return;
  is_sending = true;
  trouble_telling = false;
  draw();
  try {
    await ask(`/v1/requests/${encodeURIComponent(id)}/${verb}`, { method: "POST", body: {} });
  } catch (error) {
    if (error.status === 0 || error.status >= 500) trouble_telling = true;
    else current.leave_to_staff(); // not this screen's to say, or over: its end comes as an event
  }
  is_sending = false;
  draw();
}

at("language").addEventListener("click", () => {
  switch_language();
  draw();
});
at("volume").addEventListener("click", () => {
  volume = (volume + 1) % VOLUMES.length;
  try {
    localStorage.setItem(VOLUME_KEY, String(volume));
  } catch {
    // then only until the page is loaded anew
  }
  draw_volume();
  speaker.play("ask", volume);
});
at("yes").addEventListener("click", () => answer_request("confirm"));
at("no").addEventListener("click", () => answer_request("cancel"));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (current.request !== null) answer_request("cancel");
  else if (current.shown !== null && current.shown.view !== "ask") current.dismiss();
  draw();
});
addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch opens nothing

setInterval(() => {
  ticked_at = now_ms();
  draw();
  draw_clock();
}, TICK_MS);

follow({
  event: take,
  status(answer) {
    current.status = answer;
    draw();
    draw_frame(current.view(now_ms()));
  },
  link(state) {
    current.take_link(state);
    draw();
  },
  replay_ms: REPLAY_MS,
});
draw();
