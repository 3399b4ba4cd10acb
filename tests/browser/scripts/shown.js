// What a page shows and where it leads, but for what the script adds: times in words, buttons to copy.
const words = [];
const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const within = texts.currentNode.parentElement;
  const text = texts.currentNode.textContent.trim();
  if (text !== "" && !within.closest("time, [data-copy]") && within.checkVisibility()) words.push(text);
}
const leading = [...document.querySelectorAll("main a, main form")];
return words.concat(leading.map((element) => element.getAttribute("href") ?? element.getAttribute("action")));
