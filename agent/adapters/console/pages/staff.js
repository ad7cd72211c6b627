// The staff page: signs in, follows the agent, and lets go of everything it knows when it is signed out.
// The session is a cookie no script can read: whether there is one shows in the status the page itself came with.

import { ask, follow } from "/assets/live.js";
import { Pending } from "/assets/pending.js";
import { decision_row, make, notice_row, row, state_rows, tree, word } from "/assets/staff-view.js";
import { LANGUAGES, language, other, switch_language } from "/assets/words.js";

const DECISIONS_MAX = 50;
const NOTICES_MAX = 10;
const IDLE_MS_MAX = 600000; // nobody at the desk: signed out
const PARKED_MS = 15000;
const LIVE_AFTER_MS = 1000; // what comes sooner after the start is what happened before
const REPLAY_MS_ALWAYS = Infinity; // a list may show what is old; the kiosk may not

const at = (id) => document.getElementById(id);
const pending = new Pending(at("pending"), (count, is_new) => {
  at("pending-none").hidden = count > 0;
  if (is_new) announce(word("pending_new"));
});

let following = null;
let followed_at = 0;
let used_at = performance.now();
let status = null;
let delivery = null;
let parked = [];
let retried = new Set();
let decisions = []; // {event, when}, the newest first
let notices = [];
let trouble = ""; // which word the sign-in form shows
let is_lost = false;

function announce(text) {
  at("announcement").replaceChildren(make("span", {}, text));
}

function draw() {
  document.title = word("page");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  at("language").textContent = other() === "en" ? "English" : "中文";
  at("language").lang = LANGUAGES[other()];
  at("sign-in-trouble").textContent = trouble && word(trouble);
  at("link").textContent = is_lost ? word("lost") : "";
  pending.draw();
  draw_decisions();
  draw_state();
  draw_parked();
  draw_notices();
}

function fill(id, rows) {
  at(id).replaceChildren(...rows);
  if (at(`${id}-none`)) at(`${id}-none`).hidden = rows.length > 0;
}

const draw_decisions = () => fill("decisions", decisions.map(({ event, when }) => decision_row(event, when)));
const draw_notices = () => fill("notices", notices.map(({ event, when }) => notice_row(event, when)));

function draw_state() {
  at("terminal").textContent = status?.terminal ?? "";
  const rows = status === null ? [] : state_rows(status, delivery);
  if (rows.map((one) => one.textContent).join() !== [...at("state").children].map((one) => one.textContent).join()) {
    at("state").replaceChildren(...rows);
  }
}

function draw_parked() {
  const focused = document.activeElement?.dataset?.seq;
  fill("parked", parked.map((one) => {
    const title = `${word("record")} ${one.seq}`;
    const again = retried.has(one.seq)
      ? make("span", {}, word("retrying"))
      : make("button", {
        type: "button", "data-seq": one.seq, "aria-label": `${word("retry")}: ${title}`, onclick: () => retry(one.seq),
      }, word("retry"));
    return row("refuse", title, [one.uplink, one.reason].filter(Boolean).join(" · "), again);
  }));
  if (focused !== undefined) at("parked").querySelector(`[data-seq="${CSS.escape(focused)}"]`)?.focus();
}

function take(topic, data) {
  const now = performance.now();
  if (topic === "decision") {
    const is_known = decisions.some(({ event }) => event.seq === data.seq && event.ledger_id === data.ledger_id);
    if (is_known) return;
    const when = now - followed_at > LIVE_AFTER_MS ? new Date().toLocaleTimeString("en-GB") : "";
    decisions = [{ event: data, when }, ...decisions].slice(0, DECISIONS_MAX);
    pending.take_decision(data);
    draw_decisions();
  } else if (topic === "request") {
    // How long there is left was said when it happened: for what happened before, nobody knows.
    pending.take_request(now - followed_at > LIVE_AFTER_MS ? data : { ...data, expires_in_s: null }, now);
  } else if (topic === "delivery") {
    delivery = data;
    draw_state();
  } else if (topic === "scanner") {
    const scanners = (status?.scanners ?? []).map((one) =>
      one.id === data.scanner ? { ...one, presence: data.presence, why: data.presence === "absent" ? data.why : "" } : one);
    if (status !== null) status = { ...status, scanners };
    draw_state();
  } else if (topic === "notice") {
    const when = now - followed_at > LIVE_AFTER_MS ? new Date().toLocaleTimeString("en-GB") : "";
    notices = [{ event: data, when }, ...notices].slice(0, NOTICES_MAX);
    draw_notices();
    if (data.topic === "parked") load_parked();
  }
}

async function load_parked() {
  try {
    const answer = await ask("/v1/parked");
    parked = Array.isArray(answer) ? answer : answer?.parked ?? [];
    retried = new Set([...retried].filter((seq) => parked.some((one) => one.seq === seq)));
    draw_parked();
    return true;
  } catch (error) {
    if (following !== null && (error.status === 401 || error.status === 403)) leave("signed_out");
    return false;
  }
}

async function retry(seq) {
  try {
    await ask(`/v1/parked/${encodeURIComponent(seq)}/retry`, { method: "POST", body: {} });
    retried.add(seq);
    announce(`${word("retrying")}: ${seq}`);
  } catch (error) {
    announce(`${word("not_done")}: ${error.detail || error.status}`);
  }
  draw_parked();
}

async function diagnose() {
  try {
    at("diagnostics").replaceChildren(tree(await ask("/v1/diagnostics")));
  } catch (error) {
    at("diagnostics").replaceChildren(make("p", { class: "trouble" }, `${word("not_done")}: ${error.detail || error.status}`));
  }
}

async function sign_in(submit) {
  submit.preventDefault();
  const pin = at("pin").value;
  at("pin").value = "";
  try {
    await ask("/v1/sign-in", { method: "POST", body: { pin } });
  } catch (error) {
    trouble = error.status === 0 || error.status >= 500 ? "not_reached" : error.status === 429 ? "pin_wait"
      : error.status === 409 ? "pin_none" : "pin_wrong";
    draw();
    at("pin").focus();
    return;
  }
  enter();
}

function enter() {
  trouble = "";
  used_at = followed_at = performance.now();
  at("sign-in").hidden = true;
  at("work").hidden = at("sign-out").hidden = false;
  following = follow({
    event: take,
    status(answer) {
      status = answer;
      if (answer.uplink) delivery = null; // this is newer
      if (Array.isArray(answer.requests)) pending.take_all(answer.requests, performance.now());
      draw_state();
    },
    link(state) {
      is_lost = state === "lost";
      at("link").textContent = is_lost ? word("lost") : "";
      if (state === "unlinked") leave("signed_out");
    },
    replay_ms: REPLAY_MS_ALWAYS,
    from: 0,
  });
  load_parked();
  draw();
}

/** Show the sign-in form; nothing of what was seen stays in the page. */
function leave(why = "") {
  following?.stop();
  following = null;
  [status, delivery, parked, decisions, notices, trouble, is_lost] = [null, null, [], [], [], why, false];
  retried.clear();
  pending.clear();
  at("diagnostics").replaceChildren();
  at("announcement").replaceChildren();
  at("work").hidden = at("sign-out").hidden = true;
  at("sign-in").hidden = false;
  draw();
  at("pin").focus();
}

async function sign_out() {
  following?.stop(); // what it asked from here on would be refused
  following = null;
  await ask("/v1/sign-out", { method: "POST", body: {} }).catch(() => null);
  leave();
}

at("language").addEventListener("click", () => {
  switch_language();
  draw();
});
at("sign-in").addEventListener("submit", sign_in);
at("sign-out").addEventListener("click", sign_out);
at("diagnose").addEventListener("click", diagnose);
for (const use of ["pointerdown", "keydown"]) addEventListener(use, () => (used_at = performance.now()), { passive: true });
setInterval(() => {
  pending.tick(performance.now());
  if (following !== null && performance.now() - used_at > IDLE_MS_MAX) sign_out();
}, 1000);
setInterval(() => following !== null && load_parked(), PARKED_MS);

draw();
const [navigation] = performance.getEntriesByType("navigation");
if (navigation?.responseStatus >= 400) leave();
else load_parked().then((is_in) => (is_in ? enter() : leave("signed_out")));
