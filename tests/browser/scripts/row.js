// The texts of the rows that begin with this name; in lists to choose from, behind the box.
const named = (cell) => cell.innerText.trim() === arguments[0];
const rows = [...document.querySelectorAll("main tbody tr")];
const begun = rows.filter((row) => [...row.querySelectorAll("td:first-child, td.tag")].some(named));
return begun.map((row) => row.innerText.replaceAll(/\s+/g, " ").trim());
