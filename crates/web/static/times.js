// @ts-check
// Shows times in the viewer's zone. Without this script they stand in UTC.
//
// What it needs of the page:
//   time[datetime][title]  whose title, and whose text if it is the same, is the time in UTC

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

for (const element of document.querySelectorAll("time[datetime][title]")) {
  if (!(element instanceof HTMLTimeElement)) continue;
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  const local = format.format(at);
  if (element.textContent === element.title) element.textContent = local;
  element.title = local;
}
