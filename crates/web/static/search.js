// @ts-check
// Search as you type, over what is already on the page. Without this script the search field is
// an ordinary form, answered by the server.
//
// What it needs of the page:
//   #search   the search field; "/" puts the cursor into it
//   [data-search]  what can be found; the attribute holds its title, description and tags
//   [data-folder]  a heading and its cards, hidden when none of them is found
//   .folders  links to these headings, each with a .count; may be missing
//   #count    how many are shown; #found an element with role=status that says it; may be missing
//   #nothing  shown when none is found: a heading that says so, a link to all; may be missing

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
    if (folder instanceof HTMLElement) folder.hidden = cardsIn(folder) === 0;
  }
  return found;
}

/** @param {Element} folder how many of its cards are shown */
const cardsIn = (folder) => folder.querySelectorAll("[data-search]:not([hidden])").length;

/** The links to the folders follow what is found in them. */
function updateLinks() {
  for (const link of document.querySelectorAll(".folders a")) {
    const folder = document.getElementById(link.getAttribute("href")?.slice(1) ?? "")?.closest("[data-folder]");
    if (!(link instanceof HTMLElement) || !folder) continue;
    const count = cardsIn(folder);
    link.hidden = count === 0;
    const shown = link.querySelector(".count");
    if (shown) shown.textContent = String(count);
  }
}

/** The number beside the title, and what stands in place of the cards. @param {string} query @param {number} found */
function sayFound(query, found) {
  const count = document.getElementById("count");
  if (count) count.textContent = String(found);
  const nothing = document.getElementById("nothing");
  if (!nothing) return;
  nothing.hidden = found > 0;
  const heading = nothing.querySelector("h2");
  if (heading) heading.textContent = `No script matches “${query.trim()}”`;
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
    // The server left cards out of this page already: only another one has them all.
    if (field.value.trim() === "" && field.defaultValue !== "") {
      location.assign(`${document.documentElement.dataset.base ?? ""}/`);
      return;
    }
    const found = filter(field.value);
    updateLinks();
    sayFound(field.value, found);
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (said) said.textContent = found === 1 ? "1 script found" : `${found} scripts found`;
    }, SPEAK_AFTER);
  };
  field.addEventListener("input", update);
  /** @param {Event} event */
  const clear = (event) => {
    event.preventDefault();
    field.value = "";
    update();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && field.value !== "") clear(event);
  });
  document.querySelector("#nothing a")?.addEventListener("click", (event) => {
    clear(event);
    field.focus();
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
