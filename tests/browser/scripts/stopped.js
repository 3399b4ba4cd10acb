// Tries what the policy is to stop; answers the errors, and whether a style in an attribute has an effect. The picture
// and the style make no error: the console has them.
const picture = document.createElement("img");
picture.src = "https://elsewhere.example/";
const script = document.createElement("script");
const attempts = [
  () => { document.body.innerHTML = "<b>"; },
  () => { script.text = "0"; },
  () => { document.body.append(picture); },
  () => { document.body.setAttribute("style", "color: red"); },
];
const errors = [];
for (const attempt of attempts) {
  try { attempt(); } catch (error) { errors.push(error.name); }
}
return [errors, getComputedStyle(document.body).color === "rgb(255, 0, 0)"];
