// Whatever can have the focus takes it, in the page's order, and shows it. In the system's own colours, where badges
// and notes have lost their backgrounds, they keep a border.
const faults = [];
const fault = (words, element) => faults.push(`${words}: ${element.outerHTML.slice(0, 160)}`);
const able = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
for (const element of document.querySelectorAll(able)) {
  if (!element.checkVisibility() || element.disabled) continue;
  element.focus({ focusVisible: true });
  const style = getComputedStyle(element);
  if (document.activeElement !== element) fault("takes no focus", element);
  else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) fault("no ring", element);
  if (element.tabIndex > 0) fault("an order of its own", element);
}
for (const element of document.querySelectorAll(".kind, .note")) {
  if (element.checkVisibility() && getComputedStyle(element).borderTopStyle !== "solid") fault("no border", element);
}
return faults;
