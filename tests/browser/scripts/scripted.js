// What only a script can serve, where it is shown.
const scripted = [...document.querySelectorAll("[data-copy], [data-all], [data-help]")];
return scripted.filter((element) => element.checkVisibility()).map((element) => element.outerHTML);
