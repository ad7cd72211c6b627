// The scans that wait for somebody's yes: one card each, updated in place, so that focus and typing are never lost.

import { ask } from "/assets/live.js";
import { masked, step_name } from "/assets/words.js";
import { make, mark, word } from "/assets/staff-view.js";

const ITEM = /^[0-9A-Za-z./-]{4,64}$/;
// A patient's codes, by their looks (agent/core/requests.py, require_items): they never go into the record in clear.
const PATIENTS = /^(1[0-5]\d{16}|(2[5-9]|30)\d{14,22}|62\d{17}|424\d{25}|[0-9A-Fa-f]{64})$/;
const PATIENTS_ID = /^[1-9]\d{5}(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]$/; // its check digit aside
const ITEMS_MAX = 200;
const CARDS_MAX = 30;
const DECISIONS_KEPT_MAX = 100;
const LIVE = new Set(["open", "asking"]);
const UNHEARD_MS = 3000; // a card the status does not name, this long after it was last heard of, is over
const TAKES_ITEMS = new Set(["dispensing"]);

/** Return seconds as minutes and seconds. */
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** The list of cards. `changed(count, is_new)` is told of each change. */
export class Pending {
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.cards = new Map(); // request id -> card
    this.asking = new Map(); // seq -> decision that asks
  }

  take_decision(event) {
    if (event.answer === "ask") this.asking.set(event.seq, event);
    if (this.asking.size > DECISIONS_KEPT_MAX) this.asking.delete(this.asking.keys().next().value);
    for (const card of this.cards.values()) if (card.seq === event.seq) card.draw(this.asking.get(event.seq));
  }

  take_request(event, now) {
    const known = this.cards.get(event.request);
    if (!LIVE.has(event.state)) {
      if (known !== undefined) this.remove(event.request);
      return;
    }
    if (known === undefined && this.cards.size >= CARDS_MAX) this.remove(this.cards.keys().next().value);
    const card = known ?? new Card(event);
    if (known === undefined) {
      this.cards.set(event.request, card);
      this.list.append(card.element);
    }
    const was_open = card.state === "open";
    card.take(event, now);
    card.draw(this.asking.get(card.seq));
    this.changed(this.cards.size, card.state !== "open" && (known === undefined || was_open));
  }

  /** Take in what the status says of every live request: also after a reload, or where an event was missed. */
  take_all(requests, now) {
    const named = new Set(requests.map((one) => one.request));
    for (const one of requests) this.take_request(one, now);
    for (const [request, card] of this.cards) {
      if (!named.has(request) && now - card.heard_at > UNHEARD_MS) this.remove(request);
    }
  }

  remove(request) {
    this.cards.get(request).element.remove();
    this.cards.delete(request);
    this.changed(this.cards.size, false);
  }

  clear() {
    for (const request of [...this.cards.keys()]) this.remove(request);
    this.asking.clear();
  }

  draw() {
    for (const card of this.cards.values()) card.draw(this.asking.get(card.seq));
  }

  /** Count down; what is over by this page's clock alone goes too. */
  tick(now) {
    for (const [request, card] of this.cards) if (card.tick(now)) this.remove(request);
  }
}

class Card {
  constructor(event) {
    this.request = event.request;
    this.step = event.step;
    this.state = "open";
    this.seq = event.seq;
    this.until = null;
    this.items = [];
    this.title = make("h3");
    this.about = make("p");
    this.left = make("p", { class: "left" });
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.confirm = make("button", { type: "button", class: "main", onclick: () => this.post("confirm") });
    this.cancel = make("button", { type: "button", onclick: () => this.post("cancel") });
    this.buttons = make("div", { class: "buttons" }, this.confirm, this.cancel);
    this.list = make("ul", { class: "items" });
    const id = `item-${event.request}`;
    this.label = make("label", { for: id });
    this.input = make("input", { id, autocomplete: "off", maxlength: 64, spellcheck: "false" });
    this.add = make("button", { type: "submit" });
    this.form = make("form", { onsubmit: (submit) => this.add_item(submit) }, this.input, this.add);
    this.entry = make("div", { class: "entry" }, this.label, this.form, this.list);
    const head = make("div", { class: "head" }, mark("ask"), this.title);
    this.element = make(
      "li", { class: "card", "data-tone": "ask", "data-request": event.request },
      head, make("div", { class: "about" }, this.about, this.left), this.entry, this.trouble, this.buttons,
    );
  }

  take(event, now) {
    this.heard_at = now;
    this.state = event.state;
    if (Array.isArray(event.items)) this.take_items(event.items);
    this.seq = event.seq ?? this.seq;
    if (typeof event.expires_in_s === "number") this.until = now + event.expires_in_s * 1000;
    this.tick(now);
  }

  take_items(items) {
    for (const item of items) {
      if (this.items.includes(item)) continue;
      this.items.push(item);
      this.list.append(make("li", {}, item));
    }
  }

  draw(decision) {
    const is_open = this.state === "open";
    const parts = [step_name(this.step), masked(decision?.name)].filter(Boolean);
    this.title.textContent = [...parts, this.seq ? `${word("record")} ${this.seq}` : ""].filter(Boolean).join(" · ");
    this.about.textContent = is_open ? word("opened") : word("whose");
    this.confirm.textContent = word("confirm");
    this.cancel.textContent = word("cancel");
    for (const [button, verb] of [[this.confirm, "confirm"], [this.cancel, "cancel"]]) {
      button.setAttribute("aria-label", `${word(verb)}: ${parts.join(" ")}`);
    }
    this.confirm.hidden = is_open;
    this.entry.hidden = is_open || !TAKES_ITEMS.has(this.step);
    this.label.textContent = word("item");
    this.add.textContent = word("item_add");
    this.draw_left();
  }

  tick(now) {
    const left_s = this.until === null ? null : Math.ceil((this.until - now) / 1000);
    if (left_s !== this.left_s) {
      this.left_s = left_s;
      this.draw_left();
    }
    return left_s !== null && left_s < -5; // its end comes as an event; this is for one that was missed
  }

  draw_left() {
    const is_told = this.left_s !== null && this.left_s !== undefined;
    this.left.textContent = is_told ? `${word("time_left")} ${clock(Math.max(0, this.left_s))}` : "";
  }

  async post(verb, body = {}) {
    const controls = [this.confirm, this.cancel, this.add];
    for (const control of controls) control.disabled = true;
    this.trouble.textContent = "";
    try {
      await ask(`/v1/requests/${encodeURIComponent(this.request)}/${verb}`, { method: "POST", body });
      return true;
    } catch (error) {
      this.trouble.textContent = error.status === 0 ? word("not_reached") : `${word("not_done")}: ${error.detail || error.status}`;
      return false;
    } finally {
      for (const control of controls) control.disabled = false;
    }
  }

  async add_item(submit) {
    submit.preventDefault();
    const item = this.input.value.trim();
    const is_patients = PATIENTS.test(item) || PATIENTS_ID.test(item);
    if (is_patients) this.input.value = ""; // nor stay on the screen
    const fault = is_patients ? "item_secret" : !ITEM.test(item) ? "item_bad" : this.items.includes(item) ? "item_twice"
      : this.items.length >= ITEMS_MAX ? "items_full" : "";
    if (fault) {
      this.trouble.textContent = word(fault);
      return;
    }
    if (!(await this.post("items", { items: [item] }))) return; // it stays in the field
    this.take_items([item]);
    this.input.value = "";
    this.input.focus();
  }
}
