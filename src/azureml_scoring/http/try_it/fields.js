/* Fields of the form. Each holds a cell, the JSON text of a value: "59.0", "null", "\"Oslo\"".
   What does not fit the column's type is sent as it is typed: the server says what is wrong. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LOCAL_TIME = /^"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?"$/, DATE = /^"\d{4}-\d\d-\d\d"$/;

function isJson(text) {
  try { JSON.parse(text); return true; } catch { return false; }
}

/* What people read of a cell, and back. */
const plain = cell => cell === "null" ? "" : cell.startsWith('"') ? JSON.parse(cell) : cell;
const numberCell = text => text.trim() === "" ? "null" : NUMBER.test(text.trim()) ? text.trim() : JSON.stringify(text);
const textCell = text => JSON.stringify(text);
const anyCell = text => text.trim() === "" ? "null" : isJson(text) ? text.trim() : JSON.stringify(text);

function describe({dtype, number, missing, categories, usual, several}) {
  const kinds = {str: "text", bool: "true or false", datetime: "date or time", any: "any value, as JSON"};
  const kind = several ? "a list, as JSON" : number ? (dtype.includes("int") ? "whole number" : "number") : categories?.length ? "category" : kinds[dtype] ?? dtype;
  return [kind, usual?.length && `usually ${usual[0]} to ${usual[1]}`, missing && "may be missing"].filter(Boolean).join(", ");
}

/* The input's type for dates: the browser's own if it can show every sample value. */
function dateType(samples) {
  const values = samples.filter(cell => cell !== "null");
  if (values.length && values.every(cell => DATE.test(cell))) return "date";
  return values.length && values.every(cell => LOCAL_TIME.test(cell)) ? "datetime-local" : "text";
}

/* An input with the cells that it shows and gives. */
function select(box, input, cells) {
  const element = put(box, "select", input);
  const add = cell => put(element, "option", {value: cell}, cell === "null" ? "(missing)" : cell);
  cells.forEach(cell => { add(cell).textContent = cell === "null" ? "(missing)" : plain(cell); });
  const show = cell => {
    if (![...element.options].some(option => option.value === cell)) add(cell);
    element.value = cell;
  };
  return {element, read: () => element.value, show};
}

function typed(box, input, toCell, shown = plain) {
  const element = put(box, "input", {spellcheck: "false", ...input});
  return {element, read: () => toCell(element.value), show: cell => { element.value = shown(cell); }};
}

function suggested(box, input, cells, toCell) {
  const field = typed(box, {...input, list: `${input.id}-list`}, toCell);
  const list = put(box, "datalist", {id: `${input.id}-list`});
  for (const cell of cells) put(list, "option", {value: plain(cell)});
  return field;
}

/* A field that can say "null" beside any text, the empty one too. */
function missable(box, field, column) {
  const label = put(box, "label", {class: "check"});
  const check = put(label, "input", {type: "checkbox", "aria-label": `${column} is missing`});
  label.append(" missing");
  const sync = () => { field.element.disabled = check.checked; };
  check.addEventListener("change", sync);
  return {
    element: field.element,
    read: () => check.checked ? "null" : field.read(),
    show: cell => { check.checked = cell === "null"; sync(); field.show(cell); },
  };
}

function inputFor(box, input, {key, dtype, number, missing, categories = [], common = [], unseen, several}, samples) {
  if (several || dtype === "any") return typed(box, input, anyCell, cell => cell === "null" ? "" : cell);
  if (dtype === "bool") return select(box, input, ["true", "false", ...(missing ? ["null"] : [])]);
  if (categories.length && !unseen) return select(box, input, [...categories, ...(missing ? ["null"] : [])]);
  if (number) return typed(box, {...input, inputmode: "text"}, numberCell);
  if (dtype === "datetime") return typed(box, {...input, type: dateType(samples), step: "any"}, text => text ? textCell(text) : "null");
  const ofTexts = categories.every(cell => cell.startsWith('"'));
  const field = suggested(box, input, [...new Set([...categories, ...common])], ofTexts ? textCell : anyCell);
  return missing ? missable(box, field, key) : field;
}

/* A labelled field with its hint and its error. `facts`: as model_facts.py has them. */
function field(parent, name, facts, samples) {
  const box = put(parent, "div", {class: "field"});
  put(box, "label", {for: name}, facts.key);
  const input = inputFor(box, {id: name, "aria-describedby": `${name}-hint`}, facts, samples);
  put(box, "span", {class: "hint", id: `${name}-hint`}, facts.hint ?? describe(facts));
  const error = put(box, "p", {class: "error", id: `${name}-error`, hidden: ""});
  return {
    ...input, box, key: facts.key,
    complain(message) {
      error.hidden = !message;
      error.textContent = message;
      input.element.setAttribute("aria-invalid", Boolean(message));
      input.element.setAttribute("aria-describedby", message ? `${name}-error ${name}-hint` : `${name}-hint`);
    },
  };
}
