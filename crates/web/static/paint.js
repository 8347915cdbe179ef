// @ts-check
// Puts one line of output on the page. Text only ever becomes a text node; colours are classes
// (`f0`…`f255` in front, `g0`…`g255` behind) or, for true colour, a property of the element.

/**
 * A line as the API sends it: plain text, or the text followed by groups of four numbers:
 * length in UTF-16 units, colour in front, colour behind, flags.
 * @typedef {string | [string, ...number[]]} Line
 */

/** The flag of text that came from stderr. */
const STDERR = 256;

/** Flags and their classes. @type {ReadonlyArray<[number, string]>} */
const FLAGS = [
  [1, "b"], // bold
  [2, "d"], // dim
  [4, "i"], // italic
  [8, "u"], // underline
  [16, "v"], // inverse
  [32, "s"], // struck out
  [64, "k"], // blinking
  [128, "h"], // hidden
];

/** @param {number} colour @returns {string | null} true colour as CSS wants it */
function trueColour(colour) {
  return colour >> 24 === 2 ? "#" + (colour & 0xffffff).toString(16).padStart(6, "0") : null;
}

/** @param {string} letter @param {number} colour @returns {string | null} the class of an indexed colour */
function indexed(letter, colour) {
  return colour >> 24 === 1 ? letter + (colour & 255) : null;
}

/**
 * One stretch of equal style.
 * @param {string} text @param {number} front @param {number} behind @param {number} flags
 */
function stretch(text, front, behind, flags) {
  const span = document.createElement("span");
  span.textContent = text;
  const classes = [indexed("f", front), indexed("g", behind)];
  for (const [bit, name] of FLAGS) if (flags & bit) classes.push(name);
  const names = classes.filter((name) => name !== null);
  if (names.length > 0) span.className = names.join(" ");
  const colour = trueColour(front);
  const background = trueColour(behind);
  if (colour) span.style.color = colour;
  if (background) span.style.backgroundColor = background;
  return span;
}

/**
 * Shows the line in the row. The class `e` marks a line that has text from stderr.
 * @param {HTMLElement} row @param {Line} line
 */
export function paint(row, line) {
  row.classList.remove("e");
  if (line === "" || line[0] === "") {
    // A line without text still has a height, and is still copied as a line.
    row.replaceChildren(document.createElement("br"));
    return;
  }
  if (typeof line === "string") {
    row.textContent = line;
    return;
  }
  const [text, ...runs] = line;
  const parts = document.createDocumentFragment();
  let at = 0;
  for (let i = 0; i + 3 < runs.length; i += 4) {
    const [length = 0, front = 0, behind = 0, flags = 0] = runs.slice(i, i + 4);
    const piece = text.slice(at, at + length);
    at += length;
    if (flags & STDERR) row.classList.add("e");
    const plain = front === 0 && behind === 0 && (flags & ~STDERR) === 0;
    parts.append(plain ? piece : stretch(piece, front, behind, flags));
  }
  parts.append(text.slice(at));
  row.replaceChildren(parts);
}
