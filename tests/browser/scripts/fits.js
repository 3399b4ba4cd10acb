// Whether the page is wider than its window, and what makes it so. Tables and commands scroll in boxes of their own.
const { scrollWidth } = document.scrollingElement;
if (scrollWidth <= innerWidth) return [];
const wide = [...document.querySelectorAll("body *")].filter(
  (element) =>
    element.getBoundingClientRect().right > innerWidth + 1 && !element.parentElement.closest(".scroll, pre, .copy"),
);
return [`${scrollWidth} wide in ${innerWidth}: ` + wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 160)).join(" | ")];
