// @ts-check
// Lets people see the password that they type. Without this script there is nothing to tick.
//
// What it needs of the page:
//   form .field input[type=password]   one or more; the box stands below the last one's field

for (const form of document.querySelectorAll("form")) {
  /** @type {NodeListOf<HTMLInputElement>} */
  const fields = form.querySelectorAll(".field input[type=password]");
  const last = fields.item(fields.length - 1)?.closest(".field");
  if (!last) continue;
  const box = document.createElement("input");
  box.type = "checkbox";
  // A browser that remembers the box would show the next password at once.
  box.autocomplete = "off";
  const label = document.createElement("label");
  label.className = "inline dim";
  label.append(box, fields.length === 1 ? "Show the password" : "Show the passwords");
  last.after(label);
  const show = (/** @type {boolean} */ on) => fields.forEach((field) => (field.type = on ? "text" : "password"));
  box.addEventListener("change", () => show(box.checked));
  // What is sent as a text is kept as one, for the next who uses this browser.
  form.addEventListener("submit", () => show(false));
}
