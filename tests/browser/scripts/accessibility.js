// What axe finds; the tags of its rules are the argument. A function's body, behind axe itself.
// What a long line hides behind the edge of its box has the colours of what it shows, which axe cannot know.
const isHidden = (rule, node) =>
  rule.id === "color-contrast" && document.querySelector(node.target[0]).closest(".scroll > pre");
const told = (rule) =>
  `${rule.id}: ${rule.help}: ` + rule.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ");
return axe
  .run(document, { runOnly: { type: "tag", values: arguments[0] }, resultTypes: ["violations", "incomplete"] })
  .then(({ violations, incomplete }) => {
    const unsure = incomplete.map((rule) => ({ ...rule, nodes: rule.nodes.filter((node) => !isHidden(rule, node)) }));
    return [...violations, ...unsure].filter((rule) => rule.nodes.length > 0).map(told);
  });
