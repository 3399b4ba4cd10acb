// What no page may have: elements that the argument finds, because text became markup; scripts and styles in
// attributes; anything loaded from elsewhere.
const faults = [];
for (const element of document.querySelectorAll(arguments[0])) faults.push(`became an element: ${element.outerHTML}`);
for (const element of document.querySelectorAll("*")) {
  const is = element.outerHTML.slice(0, 200);
  for (const { name, value } of element.attributes) {
    if (name.startsWith("on") || name === "style") faults.push(`${name}: ${is}`);
    if (["href", "src", "action"].includes(name) && /^\s*(javascript|data|vbscript):/i.test(value)) faults.push(is);
  }
}
for (const { name } of performance.getEntriesByType("resource")) {
  if (new URL(name).origin !== location.origin) faults.push(`loaded ${name}`);
}
return faults;
