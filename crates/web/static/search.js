// @ts-check
// Search as you type, over what is already on the page. Without this script the search field is
// an ordinary form, answered by the server.
//
// What it needs of the page:
//   #search   the search field; "/" puts the cursor into it
//   [data-search]  what can be found; the attribute holds its title, description and tags
//   [data-folder]  a heading and its cards, hidden when none of them is found
//   #found    an element with role=status that says how many there are; may be missing

/** People hear the count when they pause, not with every key. */
const SPEAK_AFTER = 500;

/** @param {string} text small letters, no accents */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** @param {string} query @returns {number} how many were found */
function filter(query) {
  const words = plain(query).split(/\s+/u).filter(Boolean);
  let found = 0;
  for (const card of document.querySelectorAll("[data-search]")) {
    if (!(card instanceof HTMLElement)) continue;
    const text = plain(card.dataset.search || card.textContent || "");
    const hit = words.every((word) => text.includes(word));
    card.hidden = !hit;
    if (hit) found += 1;
  }
  for (const folder of document.querySelectorAll("[data-folder]")) {
    if (folder instanceof HTMLElement) folder.hidden = !folder.querySelector("[data-search]:not([hidden])");
  }
  return found;
}

/** @param {EventTarget | null} target whether keys typed there are text */
function takesText(target) {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** @param {HTMLInputElement} field */
function start(field) {
  const said = document.getElementById("found");
  let timer = 0;
  const update = () => {
    const found = filter(field.value);
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (said) said.textContent = found === 1 ? "1 script found" : `${found} scripts found`;
    }, SPEAK_AFTER);
  };
  field.addEventListener("input", update);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || field.value === "") return;
    event.preventDefault();
    field.value = "";
    update();
  });
  document.addEventListener("keydown", (event) => {
    const plainKey = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key !== "/" || !plainKey || takesText(event.target)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  // The browser keeps what was typed when one comes back to the page.
  if (field.value !== "" && document.querySelector("[data-search]")) update();
}

const field = document.getElementById("search");
if (field instanceof HTMLInputElement) start(field);
