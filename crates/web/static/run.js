// @ts-check
// The live part of a run's page. Without this script the page reloads itself every few seconds.
//
// What it needs of the page:
//   #run      data-run (the id), data-state (queued … ended), data-now (the server's clock, in ms)
//   #log      the scrolling element with the output; what it holds is replaced
//   #follow   a checkbox; #said shows the status; #status an element with role=status, for people
//             who hear it; each may be missing
//   #elapsed  data-started (ms); its text is kept up to date while the run lives
//   #run-status  holds the chip, whose last element is the state in a word
//   .at      data-line (from 1): the number of a line that was found; may be missing
// A run that leaves the queue, or ends, has another page: it is loaded again, once.
import { Log } from "./log.js";

/** @typedef {import("./log.js").Tail} Tail */
/** @typedef {import("./log.js").Stretch} Stretch */
/** @typedef {{state: string, outcome: string | null, queue_position: number | null, started_at: string | null}} Run */

/** The status is spoken at most this often, for people who hear it. */
const SPEAK_EVERY = 2000;
/** Before a stream that the server refused is tried again. */
const RETRY = 3000;

/** @param {string} id */
const element = (id) => document.getElementById(id);

/** @param {number} millis as the server says it: `3 min 12 s` */
function sayDuration(millis) {
  const s = Math.max(0, Math.floor(millis / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** What is shown follows at once; the live region is not changed faster than it can be heard. */
class Status {
  #element = element("status");
  #shown = element("said");
  #next = "";
  #waiting = false;

  /** @param {string} text */
  say(text) {
    this.#next = text;
    if (this.#shown) this.#shown.textContent = text;
    if (!this.#waiting) this.#speak();
  }

  #speak() {
    if (!this.#element || this.#element.textContent === this.#next) return;
    this.#element.textContent = this.#next;
    this.#waiting = true;
    setTimeout(() => {
      this.#waiting = false;
      this.#speak();
    }, SPEAK_EVERY);
  }
}

/** Where the reader was, over the one reload at the end. */
class Place {
  #key;

  /** @param {string} run */
  constructor(run) {
    this.#key = `run ${run}`;
  }

  /** Loads the page again with the outcome on it; once, whatever the answer is. @param {Log} log */
  reload(log) {
    if (sessionStorage.getItem(this.#key) !== null) return;
    sessionStorage.setItem(this.#key, log.following ? "end" : String(Math.floor(log.top)));
    location.reload();
  }

  /** @param {Log} log */
  restore(log) {
    const place = sessionStorage.getItem(this.#key);
    if (place === null) return;
    sessionStorage.removeItem(this.#key);
    if (place === "end") log.following = true;
    else log.goTo(Number(place) || 0);
  }
}

/** The stream of events; closed while nobody looks, since a browser has only six connections. */
class Live {
  /** @type {EventSource | null} */ #source = null;
  #over = false;
  #url;
  #page;

  /**
   * @param {string} url
   * @param {{tail: (tail: Tail) => void, state: (run: Run) => void, end: () => void, lost: () => void}} page
   */
  constructor(url, page) {
    this.#url = url;
    this.#page = page;
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #look() {
    if (document.hidden) this.#close();
    else this.#open();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    if (this.#source || this.#over) return;
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener("tail", (event) => this.#page.tail(JSON.parse(event.data)));
    source.addEventListener("state", (event) => this.#page.state(JSON.parse(event.data)));
    source.addEventListener("end", () => {
      this.#over = true;
      this.#close();
      this.#page.end();
    });
    source.addEventListener("error", () => this.#failed(source));
  }

  /** The browser resumes a stream that broke; one that was refused is up to us. @param {EventSource} source */
  #failed(source) {
    this.#page.lost();
    if (source.readyState !== EventSource.CLOSED || this.#source !== source) return;
    this.#source = null;
    setTimeout(() => this.#look(), RETRY);
  }
}

/** @param {string} url @returns {Promise<Stretch>} */
async function stretch(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

/** @param {Run} run @param {number} total */
function summary(run, total) {
  const lines = `${total.toLocaleString("en")} ${total === 1 ? "line" : "lines"}`;
  if (run.state === "ended") return `Ended: ${(run.outcome ?? "").replaceAll("_", " ")}, ${lines}.`;
  if (run.queue_position !== null) return `In the queue, place ${run.queue_position}.`;
  return `${run.state.charAt(0).toUpperCase()}${run.state.slice(1)}, ${lines}.`;
}

/** Where the elapsed time stands; a run that had not begun has no such place yet. */
function elapsed() {
  const known = element("elapsed");
  const chip = element("run-status");
  if (known || !chip) return known;
  const shown = document.createElement("span");
  shown.id = "elapsed";
  const words = document.createElement("span");
  words.className = "dim took";
  words.append("for ", shown);
  chip.after(words);
  return shown;
}

/** The chip of a run that is on its way. @param {Run} run */
function showState(run) {
  const chip = element("run-status")?.querySelector(".chip");
  const word = chip?.lastElementChild;
  if (!chip || !word) return;
  chip.classList.toggle("wait", run.state === "queued" || run.state === "stopping");
  chip.classList.toggle("live", run.state === "starting" || run.state === "running");
  if (run.state !== "queued") word.textContent = run.state;
  else word.textContent = run.queue_position === null ? "waiting" : `waiting, place ${run.queue_position}`;
}

/** The numbers of lines that were found lead to them. @param {Log} log @param {HTMLElement} view */
function linkHits(log, view) {
  for (const number of document.querySelectorAll(".at[data-line]")) {
    if (!(number instanceof HTMLElement)) continue;
    const line = Number(number.dataset.line) - 1;
    const button = document.createElement("button");
    button.type = "button";
    button.className = number.className;
    button.textContent = number.textContent;
    button.setAttribute("aria-label", `Show line ${number.textContent} in the output`);
    button.addEventListener("click", () => {
      log.leadTo(line);
      view.focus();
    });
    number.replaceWith(button);
  }
}

/** Keeps the elapsed time going, by the server's clock. @param {HTMLElement} page */
function tick(page) {
  const ahead = Date.now() - Number(page.dataset.now ?? Date.now());
  return setInterval(() => {
    const shown = element("elapsed");
    const started = Number(shown?.dataset.started ?? NaN);
    if (shown && started > 0) shown.textContent = sayDuration(Date.now() - ahead - started);
  }, 1000);
}

/** @param {HTMLElement} page @param {HTMLElement} view */
function start(page, view) {
  const base = document.documentElement.dataset.base ?? "";
  const api = `${base}/api/v1/runs/${encodeURIComponent(page.dataset.run ?? "")}`;
  const follow = element("follow");
  const box = follow instanceof HTMLInputElement ? follow : null;
  const status = new Status();
  const place = new Place(page.dataset.run ?? "");
  const lines = (/** @type {number} */ from, /** @type {number} */ n) =>
    stretch(`${api}/lines?from=${from}&n=${n}`);
  const log = new Log(view, lines, (on) => {
    if (box) box.checked = on;
  });
  box?.addEventListener("change", () => (log.following = box.checked));
  linkHits(log, view);

  if (page.dataset.state === "ended") {
    lines(0, 500).then(
      (first) => {
        log.fill(first);
        place.restore(log);
        if (box) box.checked = log.following;
      },
      () => status.say("The output could not be loaded. Reload the page to try again."),
    );
    return;
  }

  log.following = box?.checked ?? true;
  /** @type {Run} */ let run = { state: page.dataset.state ?? "queued", outcome: null, queue_position: null, started_at: null };
  const clock = tick(page);
  new Live(`${api}/events`, {
    tail(tail) {
      log.tail(tail);
      status.say(summary(run, tail.total));
    },
    state(next) {
      const begun = run.state === "queued" && next.state !== "queued" && next.state !== "ended";
      run = next;
      if (begun) location.reload();
      if (run.state !== "ended") showState(run);
      const shown = run.started_at ? elapsed() : null;
      if (shown && run.started_at) shown.dataset.started = String(Date.parse(run.started_at));
      status.say(summary(run, log.total));
    },
    end() {
      clearInterval(clock);
      place.reload(log);
    },
    lost: () => status.say("The connection was lost. Trying again."),
  });
}

const page = element("run");
const view = element("log");
if (page && view) start(page, view);
