// @ts-check
// Shows and hides fields by their conditions. The server checks the same conditions again; without
// this script all fields are shown, with a note that says when each is meant.
//
// What it needs of the page:
//   [data-param="name"]      around the field of each parameter
//   [data-when='{"mode":["a","b"]}']  on such an element, or on an <option> or a choice's <label>:
//                            shown only when each named parameter has one of the values
//   [data-value="x"]         on a parameter without a field: its fixed value
//   .when-note               a note that is only for people without this script

/** @typedef {Record<string, string[]>} When */

/** @param {HTMLElement} element @returns {When | null} */
function conditions(element) {
  const text = element.dataset.when;
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The values of a parameter as the server will read them. @param {HTMLElement} param @returns {string[]} */
function valuesOf(param) {
  if (param.hidden) return [];
  if (param.dataset.value !== undefined) return [param.dataset.value];
  /** @type {string[]} */ const values = [];
  for (const field of param.querySelectorAll("input, select, textarea")) {
    if (field instanceof HTMLSelectElement) {
      for (const option of field.selectedOptions) if (!option.disabled) values.push(option.value);
    } else if (field instanceof HTMLTextAreaElement) {
      values.push(field.value);
    } else if (field instanceof HTMLInputElement) {
      values.push(...valueOfInput(field, param));
    }
  }
  return values;
}

/** @param {HTMLInputElement} field @param {HTMLElement} param @returns {string[]} */
function valueOfInput(field, param) {
  if (field.type === "hidden") return [];
  if (field.type === "radio") return field.checked && !field.disabled ? [field.value] : [];
  if (field.type !== "checkbox") return [field.value];
  const isFlag = field.value === "true" && param.querySelectorAll("input[type=checkbox]").length === 1;
  if (!isFlag) return field.checked && !field.disabled ? [field.value] : [];
  return [field.checked ? "true" : "false"];
}

/**
 * Of a parameter that is not on the page nothing is known: the server will tell.
 * @param {When} when @param {Map<string, HTMLElement>} params
 */
function hold(when, params) {
  return Object.entries(when).every(([name, any]) => {
    const param = params.get(name);
    return param === undefined || valuesOf(param).some((value) => any.includes(value));
  });
}

/** Fields and options that the author switched off, whatever the conditions say. @type {WeakSet<Element>} */
const off = new WeakSet();

/** A hidden field sends nothing. @param {HTMLElement} param @param {boolean} shown */
function showParam(param, shown) {
  if (param.hidden === !shown) return false;
  param.hidden = !shown;
  for (const field of param.querySelectorAll("input, select, textarea, button")) {
    field.toggleAttribute("disabled", !shown || off.has(field) || field.closest("[hidden]") !== null);
  }
  return true;
}

/** @param {HTMLElement} choice an option, or the label around a box @param {boolean} shown */
function showChoice(choice, shown) {
  if (choice.hidden === !shown) return false;
  choice.hidden = !shown;
  const field = choice instanceof HTMLOptionElement ? choice : choice.querySelector("input");
  if (!(field instanceof HTMLOptionElement || field instanceof HTMLInputElement)) return true;
  field.disabled = !shown || off.has(field);
  if (!shown && field instanceof HTMLInputElement) field.checked = false;
  if (!shown && field instanceof HTMLOptionElement && field.selected) {
    const select = field.closest("select");
    const first = select && [...select.options].find((option) => !option.disabled);
    if (first) first.selected = true;
  }
  return true;
}

/** @param {HTMLFormElement} form */
function start(form) {
  /** @type {Map<string, HTMLElement>} */ const params = new Map();
  /** @type {Array<[HTMLElement, When, boolean]>} */ const rules = [];
  for (const field of form.querySelectorAll(":disabled")) off.add(field);
  for (const element of form.querySelectorAll("[data-param], [data-when]")) {
    if (!(element instanceof HTMLElement)) continue;
    if (element.dataset.param) params.set(element.dataset.param, element);
    const when = conditions(element);
    if (when) rules.push([element, when, element.dataset.param !== undefined]);
  }
  for (const note of form.querySelectorAll(".when-note")) {
    if (note instanceof HTMLElement) note.hidden = true;
  }
  const update = () => {
    // A field that is hidden may hide others; each round settles at least one of them.
    for (let round = 0; round <= rules.length; round++) {
      let changed = false;
      for (const [element, when, isParam] of rules) {
        const shown = hold(when, params);
        changed = (isParam ? showParam(element, shown) : showChoice(element, shown)) || changed;
      }
      if (!changed) return;
    }
  };
  form.addEventListener("input", update);
  form.addEventListener("change", update);
  form.addEventListener("reset", () => setTimeout(update));
  addEventListener("pageshow", update);
  update();
}

for (const form of document.querySelectorAll("form[data-script]")) {
  if (form instanceof HTMLFormElement) start(form);
}
