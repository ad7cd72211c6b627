// What a page hears of the agent: its events, and its status, asked all the time.
//
// The law: a page knows within three seconds that the agent is gone or silent, comes back by itself, and replays only
// what it asks for. The events are fetched as a stream rather than through EventSource, which tells no status codes,
// notices no silence, and replays whatever was missed however old it is.

const POLL_MS = 800;
const ANSWER_MS_MAX = 1500; // POLL_MS and this stay below three seconds
const ANSWER_MS_USUAL = 8000;
const GRACE_MS = 1000; // a stream that comes back this soon was never gone
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2000;
const LINE_CHARS_MAX = 65536;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** An answer of the agent that is not a success. `status` is 0 where there was no answer. */
export class Refused extends Error {
  constructor(status, detail = "") {
    super(`the agent answers ${status}`);
    this.status = status;
    this.detail = detail;
  }
}

/** Ask the agent; return the JSON of its answer, or null for an empty one. Throws Refused. */
export async function ask(path, { method = "GET", body, signal = AbortSignal.timeout(ANSWER_MS_USUAL) } = {}) {
  const options = { method, cache: "no-store", signal, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer, text;
  try {
    answer = await fetch(path, options);
    text = await answer.text();
  } catch {
    throw new Refused(0);
  }
  const content = text && (answer.headers.get("Content-Type") ?? "").includes("json") ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused(answer.status, content?.detail ?? content?.title ?? "");
  return content;
}

/**
 * Follow the agent until `stop()` of what is returned is called.
 * event(topic, data, number): each event. status(data): each answer of /v1/status.
 * link("up" | "lost" | "unlinked"): called on each change; "unlinked": the agent answers, but not to this browser.
 * replay_ms: how old an event may be that is replayed after a gap. from: number of the event to begin after; null: now.
 */
export function follow({ event, status, link, replay_ms, from = null }) {
  let last = from;
  let heard_at = performance.now(); // nothing that is replayed is older than this
  let down_since = performance.now();
  let is_streaming = false;
  const strange = { stream: false, poll: false };
  let failures = 0;
  let told = "";
  let is_over = false;
  let abort = new AbortController();
  let asking = new AbortController();

  function judge() {
    if (is_over) return;
    const is_gone = failures > 1 || (!is_streaming && performance.now() - down_since >= GRACE_MS);
    const is_up = is_streaming && failures === 0;
    const now = strange.stream || strange.poll ? "unlinked" : is_gone ? "lost" : is_up ? "up" : told;
    if (now !== told) link((told = now));
  }

  async function read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let one = { topic: "message", data: "" };
    for (;;) {
      const { done, value } = await reader.read();
      if (done || is_over) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      if (rest.length > LINE_CHARS_MAX) throw new Error("a line without end");
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line.startsWith("data: ")) one.data += line.slice(6);
        else if (line.startsWith("event: ")) one.topic = line.slice(7);
        else if (line.startsWith("id: ")) last = Number(line.slice(4)) || last;
        else if (line === "") {
          if (one.data) event(one.topic, JSON.parse(one.data), last);
          one = { topic: "message", data: "" };
        }
      }
      heard_at = performance.now();
    }
  }

  async function stream() {
    let wait_ms = RETRY_MS_MIN;
    while (!is_over) {
      try {
        const is_fresh = last === from || performance.now() - heard_at <= replay_ms;
        const headers = last !== null && is_fresh ? { "Last-Event-ID": String(last) } : {};
        abort = new AbortController();
        const answer = await fetch("/v1/events", { headers, cache: "no-store", signal: abort.signal });
        strange.stream = answer.status === 401 || answer.status === 403;
        if (answer.ok) {
          is_streaming = true;
          failures = 0;
          heard_at = performance.now();
          wait_ms = RETRY_MS_MIN;
          judge();
          await read(answer.body);
        }
      } catch {
        // gone, silent or garbled: all the same, come again
      }
      if (is_streaming) down_since = performance.now();
      is_streaming = false;
      abort.abort();
      judge();
      if (!is_over) setTimeout(judge, GRACE_MS + 20);
      await pause(wait_ms);
      wait_ms = Math.min(wait_ms * 2, RETRY_MS_MAX);
    }
  }

  async function poll() {
    while (!is_over) {
      const asked_at = performance.now();
      const one = (asking = new AbortController());
      const silence = setTimeout(() => one.abort(), ANSWER_MS_MAX);
      try {
        const answer = await ask("/v1/status", { signal: one.signal });
        if (is_over) return;
        failures = 0;
        strange.poll = false;
        if (is_streaming) heard_at = asked_at;
        status(answer);
      } catch (error) {
        const is_silent = performance.now() - asked_at >= ANSWER_MS_MAX - 50;
        failures += is_silent ? 2 : 1;
        if (is_silent) abort.abort(); // a stream of an agent that hangs never ends by itself
        strange.poll = error.status === 401 || error.status === 403;
        if (strange.poll) failures = 0;
      }
      clearTimeout(silence);
      judge();
      await pause(POLL_MS);
    }
  }

  stream();
  poll();
  return {
    stop() {
      is_over = true;
      abort.abort();
      asking.abort();
    },
  };
}
