// What has the focus, and what is wrong with how that shows.
const element = document.activeElement;
const box = element.getBoundingClientRect();
const style = getComputedStyle(element);
const faults = [];
const isInside = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
if (!isInside || box.width === 0 || box.height === 0) faults.push("outside of the window");
if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) faults.push("no ring");
return [element.getAttribute("href") ?? "", ...faults];
