// @ts-check
// The output of a run as rows of one height. Up to 5,000 lines are all on the page, so that the
// browser's own search and copy see them; of a longer output only a window is, and the lines in it
// are fetched as it moves. Rows stand in normal flow, so copied text keeps its line ends.
import { paint } from "./paint.js";
import { Track } from "./track.js";

/** @typedef {import("./paint.js").Line} Line */
/**
 * `partial` of the `total` lines, the last ones, are not finished yet.
 * @typedef {{from: number, total: number, partial: number, lines: Line[]}} Stretch
 * @typedef {{total: number, first: number, partial: number, lines: Line[]}} Tail
 */

/** Lines that may all be on the page. */
const ALL = 5000;
/** Rows above and below the visible ones. */
const MARGIN = 20;
/** Lines asked for at once; the server gives no more. */
const STRETCH = 500;
/** Unknown lines above the wanted one that are asked for with it: readers scroll up. */
const ABOVE = 100;
/** Lines kept in memory beside those on the page. */
const KEPT = 6000;

export class Log {
  /** @type {Map<number, Line>} */ #lines = new Map();
  /** @type {Map<number, HTMLElement>} */ #rows = new Map();
  /** Rows on the page that do not show their line yet. @type {Set<number>} */ #blank = new Set();
  /** Lines below this number do not change any more. */
  #settled = 0;
  #following = false;
  /** The line that the reader was led to. */
  #chosen = -1;
  #drawing = false;
  #asking = false;
  /** Where the last scroll of ours ended, to tell it from one of the reader's. */
  #ours = 0;
  #space = document.createElement("div");
  #window = document.createElement("div");
  #view;
  #track;
  #fetchLines;
  #onFollow;

  /**
   * @param {HTMLElement} view the scrolling element; what it holds is replaced at the first lines
   * @param {(from: number, count: number) => Promise<Stretch>} fetchLines
   * @param {(following: boolean) => void} onFollow told when the reader's scrolling changed it
   */
  constructor(view, fetchLines, onFollow) {
    this.#view = view;
    this.#track = new Track(view);
    this.#fetchLines = fetchLines;
    this.#onFollow = onFollow;
    this.#space.className = "space";
    this.#window.className = "window";
    this.#space.append(this.#window);
    view.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    view.addEventListener("wheel", (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    view.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("selectionchange", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(view);
  }

  /** Lines there are, the unfinished ones included. */
  get total() {
    return this.#track.total;
  }

  /** Whether the newest line is kept in sight. */
  get following() {
    return this.#following;
  }

  set following(on) {
    this.#following = on;
    if (on) this.#draw();
  }

  /** The line at the top, for coming back to it. */
  get top() {
    return this.#first();
  }

  /** @param {number} line */
  goTo(line) {
    this.#following = false;
    this.#measure();
    this.#scrollTo(this.#track.position(line));
    this.#draw();
  }

  /** Shows and marks a line that the reader chose. @param {number} line */
  leadTo(line) {
    this.#leave();
    this.#rows.get(this.#chosen)?.classList.remove("chosen");
    this.#chosen = line;
    this.#rows.get(line)?.classList.add("chosen");
    this.goTo(Math.max(0, line - 2));
  }

  /** The newest lines, and how many there are in all. @param {Tail} tail */
  tail({ total, first, partial, lines }) {
    // What was unfinished may read otherwise by now, or stand elsewhere.
    for (let n = this.#settled; n < this.#track.total; n++) this.#forget(n);
    this.#track.total = Math.max(total, this.#settled);
    lines.forEach((line, i) => {
      if (!this.#lines.has(first + i)) this.#keep(first + i, line);
    });
    this.#settled = Math.max(this.#settled, total - partial);
    this.#draw();
  }

  /** Lines that were asked for. @param {Stretch} stretch */
  fill({ from, total, partial, lines }) {
    this.#track.total = Math.max(this.#track.total, total);
    lines.forEach((line, i) => {
      const n = from + i;
      // A line that was unfinished in this answer, and finished in a newer one, is out of date.
      const stale = n >= total - partial && n < this.#settled;
      if (!stale && !this.#lines.has(n)) this.#keep(n, line);
    });
    this.#draw();
  }

  /** @param {number} n @param {Line} line */
  #keep(n, line) {
    this.#lines.set(n, line);
    if (this.#rows.has(n)) this.#blank.add(n);
  }

  /** @param {number} n */
  #forget(n) {
    this.#lines.delete(n);
    if (this.#rows.has(n)) this.#blank.add(n);
  }

  /** The line at the top of the view, with its fraction. */
  #first() {
    return this.#following ? this.#track.lastTop : this.#track.top;
  }

  /** @param {number} top */
  #scrollTo(top) {
    this.#view.scrollTop = top;
    this.#ours = this.#view.scrollTop;
  }

  #scrolled() {
    const moved = this.#view.scrollTop - this.#ours;
    if (Math.abs(moved) > 1) {
      this.#ours = this.#view.scrollTop;
      if (moved < 0) this.#leave();
      else if (this.#view.scrollTop >= this.#track.lowest - 2) this.#join();
    }
    this.#draw();
  }

  #leave() {
    if (!this.#following || this.#track.lowest === 0) return;
    this.#following = false;
    this.#onFollow(false);
  }

  #join() {
    if (this.#following) return;
    this.#following = true;
    this.#onFollow(true);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key)) this.#leave();
    if (event.key === "End") this.#join();
  }

  /** Once per frame, however many lines came. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#frame();
    });
  }

  /** The height of a row, as the style sheet makes it. */
  #measure() {
    if (this.#space.parentNode !== this.#view) this.#view.replaceChildren(this.#space);
    const row = this.#window.firstElementChild;
    const height = row ? row.getBoundingClientRect().height : 0;
    if (height > 0 && height !== this.#track.rowHeight) {
      this.#track.rowHeight = height;
      this.#draw();
    }
    this.#space.style.height = this.#track.height + "px";
  }

  #frame() {
    if (this.#track.total === 0) return;
    this.#measure();
    if (this.#following) this.#scrollTo(this.#track.lowest);
    const first = this.#first();
    const [from, to] = this.#range(first);
    this.#place(from, to);
    this.#window.style.top = this.#track.offset(from, first) + "px";
    this.#show(first);
    this.#trim(from, to);
  }

  /** Which lines are to be on the page. @param {number} first @returns {[number, number]} */
  #range(first) {
    if (this.#track.total <= ALL) return [0, this.#track.total];
    const from = Math.max(0, Math.floor(first) - MARGIN);
    const to = Math.min(this.#track.total, Math.ceil(first + this.#track.rows) + MARGIN);
    const selected = this.#selected();
    if (!selected) return [from, to];
    const [low, high] = [Math.min(from, selected[0]), Math.max(to, selected[1] + 1)];
    return high - low < ALL ? [low, high] : [from, to];
  }

  /** Selected rows stay on the page, or the selection would be lost. @returns {[number, number] | null} */
  #selected() {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return null;
    const ends = [selection.anchorNode, selection.focusNode].map((node) => this.#numberOf(node));
    const [a, b] = ends;
    return a === undefined || b === undefined ? null : [Math.min(a, b), Math.max(a, b)];
  }

  /** @param {Node | null} node */
  #numberOf(node) {
    if (!node || !this.#window.contains(node)) return undefined;
    const element = node instanceof Element ? node : node.parentElement;
    const row = element?.closest("[data-n]");
    return row instanceof HTMLElement ? Number(row.dataset.n) - 1 : undefined;
  }

  /** Makes the rows on the page exactly `from..to`. @param {number} from @param {number} to */
  #place(from, to) {
    for (const [n, row] of this.#rows) {
      if (n >= from && n < to) continue;
      row.remove();
      this.#rows.delete(n);
      this.#blank.delete(n);
    }
    const head = this.#numberOf(this.#window.firstElementChild) ?? to;
    const above = document.createDocumentFragment();
    for (let n = from; n < Math.min(head, to); n++) above.append(this.#row(n));
    this.#window.prepend(above);
    const tail = this.#numberOf(this.#window.lastElementChild) ?? from - 1;
    const below = document.createDocumentFragment();
    for (let n = tail + 1; n < to; n++) below.append(this.#row(n));
    this.#window.append(below);
  }

  /** @param {number} n */
  #row(n) {
    const row = document.createElement("div");
    row.className = n === this.#chosen ? "l chosen" : "l";
    // The number is drawn by the style sheet, so it is not copied with the text.
    row.dataset.n = String(n + 1);
    this.#rows.set(n, row);
    this.#blank.add(n);
    return row;
  }

  /** Paints what is known, asks for what is not; what is in sight first. @param {number} first */
  #show(first) {
    /** @type {number | undefined} */ let missing;
    let inSight = false;
    for (const n of this.#blank) {
      const line = this.#lines.get(n);
      const row = this.#rows.get(n);
      if (line !== undefined && row) {
        paint(row, line);
        this.#blank.delete(n);
        continue;
      }
      const seen = n >= first - 1 && n <= first + this.#track.rows;
      if (missing === undefined || (seen && !inSight) || (seen === inSight && n < missing)) {
        missing = n;
        inSight = seen;
      }
    }
    if (missing !== undefined) void this.#ask(missing);
  }

  /** @param {number} wanted */
  async #ask(wanted) {
    if (this.#asking) return;
    this.#asking = true;
    let from = wanted;
    while (from > 0 && wanted - from < ABOVE && !this.#lines.has(from - 1)) from--;
    try {
      const stretch = await this.#fetchLines(from, STRETCH);
      // An answer without lines, or an error, is asked again only after a pause.
      if (stretch.lines.length === 0) await pause(1000);
      this.#asking = false;
      this.fill(stretch);
    } catch {
      await pause(2000);
      this.#asking = false;
      this.#draw();
    }
  }

  /** @param {number} from @param {number} to */
  #trim(from, to) {
    if (this.#lines.size <= KEPT + STRETCH) return;
    for (const n of this.#lines.keys()) {
      if (this.#lines.size <= KEPT) return;
      if (n < from - STRETCH || n > to + STRETCH) this.#lines.delete(n);
    }
  }
}

/** @param {number} millis */
function pause(millis) {
  return new Promise((done) => setTimeout(done, millis));
}
