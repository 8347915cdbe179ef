// @ts-check
// Which line stands where: between numbers of lines and positions of the scroll bar.

/** Browsers lose precision beyond some 16 million pixels: a longer output gets a scaled scroll bar. */
const TALLEST = 15_000_000;

export class Track {
  /** Lines there are. */
  total = 0;
  /** Pixels; every row has the same height. */
  rowHeight = 18;
  /** Pixels above and below the rows, together. */
  #padding;
  #view;

  /** @param {HTMLElement} view the scrolling element */
  constructor(view) {
    this.#view = view;
    const style = getComputedStyle(view);
    this.#padding = (parseFloat(style.paddingTop) || 0) + (parseFloat(style.paddingBottom) || 0);
  }

  /** Whether a pixel of the scroll bar stands for more than a pixel of text. */
  get scaled() {
    return this.total * this.rowHeight > TALLEST;
  }

  /** The height of all rows, in pixels of the scroll bar. */
  get height() {
    return Math.min(this.total * this.rowHeight, TALLEST);
  }

  /** How many rows are in sight, with a fraction. */
  get rows() {
    return Math.max(0, this.#view.clientHeight - this.#padding) / this.rowHeight;
  }

  /** The lowest position of the scroll bar. */
  get lowest() {
    return Math.max(0, this.height + this.#padding - this.#view.clientHeight);
  }

  /** The first line in sight when the last one is, with a fraction. */
  get lastTop() {
    return Math.max(0, this.total - this.rows);
  }

  /** The line at the top of the view, with a fraction. */
  get top() {
    if (!this.scaled) return this.#view.scrollTop / this.rowHeight;
    return (this.#view.scrollTop / Math.max(1, this.lowest)) * this.lastTop;
  }

  /** Where the scroll bar stands when this line is at the top. @param {number} line */
  position(line) {
    return this.scaled ? (line / Math.max(1, this.lastTop)) * this.lowest : line * this.rowHeight;
  }

  /** Where row `from` is drawn when line `top` is at the top. @param {number} from @param {number} top */
  offset(from, top) {
    return this.scaled ? this.#view.scrollTop - (top - from) * this.rowHeight : from * this.rowHeight;
  }
}
