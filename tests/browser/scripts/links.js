// The paths of this host to which links and forms lead.
const leading = [...document.querySelectorAll("a[href], form[action]")];
const targets = leading.map((e) => new URL(e.getAttribute("href") ?? e.getAttribute("action"), location));
return targets.filter((target) => target.origin === location.origin).map((target) => target.pathname);
