"use strict";
// Adds to pages that are complete without it. Writes text and attributes only, never HTML (Trusted Types).
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const status = document.getElementById("said");
  const say = (text) => { if (status) { status.textContent = ""; setTimeout(() => { status.textContent = text; }, 50); } };

  // Copying. Over plain HTTP there is no clipboard interface, so the old way is there as well.
  const copied = async (text, source) => {
    if (navigator.clipboard && window.isSecureContext) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* the old way */ }
    }
    const selection = getSelection();
    const range = document.createRange();
    range.selectNodeContents(source);
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  };
  for (const button of all("button[data-copy]")) {
    const source = button.parentElement.querySelector("code");
    if (!source) continue;
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copied(source.textContent, source);
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      say(done ? "Copied to the clipboard" : "Selected; press Ctrl+C to copy");
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }

  // How long ago; the absolute time moves into the title.
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"], [12, "month"], [Infinity, "year"]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const ago = (time) => {
    let value = (time - Date.now()) / 1000;
    for (const [size, unit] of steps) {
      if (Math.abs(value) < size) return words.format(Math.round(value), unit);
      value /= size;
    }
    return "";
  };
  const times = all("time[datetime]:not([data-exact])");
  const refresh = () => {
    for (const time of times) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      if (!time.title) time.title = time.textContent;
      time.textContent = ago(at);
    }
  };
  refresh();
  if (times.length) setInterval(refresh, 60000);

  // Menus close on Escape and on a click elsewhere.
  const menus = all("details.menu");
  const close = (except) => { for (const menu of menus) if (menu !== except) menu.open = false; };
  document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = menus.find((menu) => menu.open);
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });

  // Single keys, unless they are switched off (account page): never while somebody types, never with Ctrl, Alt, Meta.
  // The focus itself moves, so that Enter, and what reads the page aloud, do what they always do.
  const help = document.querySelector("button[data-help]");
  if (help) {
    const find = document.getElementById("find");
    const places = all("a[data-key]");
    const lines = all("main tbody tr").filter((row) => row.querySelector("a[href]"));
    const here = () => lines.findIndex((row) => row.contains(document.activeElement));
    const box = () => (lines[here()] ?? document).querySelector("input[data-row]");
    const move = (by) => {
      const next = here() < 0 ? 0 : here() + by;
      lines[next]?.querySelector("a[href]").focus({ focusVisible: true });
    };
    const search = () => { find.focus(); find.select(); };
    let dialog = null;
    const make = (name, ...within) => {
      const element = document.createElement(name);
      element.append(...within);
      return element;
    };
    const explain = () => {
      if (!dialog) {
        const list = make("dl");
        const line = (key, words) => list.append(make("dt", make("kbd", key)), make("dd", words));
        for (const [key, , words, is] of keys) if (is) line(key, words);
        for (const place of places) line(`g ${place.dataset.key}`, `Go to ${place.textContent}`);
        const title = make("h2", "Keys");
        title.id = "keys";
        const end = make("button", "Close");
        end.addEventListener("click", () => dialog.close());
        dialog = make("dialog", title, list, make("p", "They can be switched off under Account."), end);
        dialog.setAttribute("aria-labelledby", "keys");
        document.body.append(dialog);
      }
      dialog.showModal();
    };
    const keys = [
      ["/", search, "Search", find],
      ["j", () => move(1), "Next row", lines.length],
      ["k", () => move(-1), "Row before", lines.length],
      ["x", () => here() >= 0 && box()?.click(), "Select the row, or not", box()],
      ["?", explain, "Show these keys", true],
    ];
    let waits = -Infinity;
    help.hidden = false;
    help.addEventListener("click", explain);
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog?.open) return;
      const after = event.timeStamp - waits < 2000;
      waits = event.key === "g" && !after ? event.timeStamp : -Infinity;
      const place = after && places.find((link) => link.dataset.key === event.key);
      const [, act, , is] = (!after && keys.find(([key]) => key === event.key)) || [];
      if (!place && !is) return;
      event.preventDefault();
      if (place) place.click(); else act();
    });
  }

  // Rows of a list: shift selects a range, [data-all] all of the page, [data-selected] shows how many.
  for (const form of all("form[data-rows]")) {
    const rows = () => all("input[type=checkbox][data-row]", form);
    const every = form.querySelector("input[data-all]");
    const count = form.querySelector("[data-selected]");
    let last = null;
    const show = () => {
      const chosen = rows().filter((row) => row.checked).length;
      if (count) count.textContent = chosen ? `${chosen} selected` : "";
      if (every) { every.checked = chosen > 0 && chosen === rows().length; every.indeterminate = chosen > 0 && !every.checked; }
    };
    if (every) {
      every.hidden = false;
      every.addEventListener("change", () => { for (const row of rows()) row.checked = every.checked; show(); });
    }
    form.addEventListener("click", (event) => {
      const row = event.target.closest("input[data-row]");
      if (!row) return;
      const list = rows();
      if (event.shiftKey && last && list.includes(last)) {
        const [from, to] = [list.indexOf(last), list.indexOf(row)].sort((a, b) => a - b);
        for (const other of list.slice(from, to + 1)) other.checked = row.checked;
      }
      last = row;
      show();
    });
    show();
  }

  // A page that shows work in progress looks again; without script it does so by itself.
  const again = document.querySelector("[data-reload]");
  if (again) setTimeout(() => location.reload(), Number(again.dataset.reload) * 1000);
})();
