
"use strict";
const id = name => document.getElementById(name);

/* A new element at the end of its parent. Texts are never read as HTML. */
function put(parent, tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
}
