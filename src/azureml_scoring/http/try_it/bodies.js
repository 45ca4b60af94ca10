/* The forms of a body. `write` makes one of a row's keys and cells; `column` says which part of an
   error's pointer is the column: its key, or its place. */
const pairs = (keys, cells) => keys.map((key, i) => `${JSON.stringify(key)}: ${cells[i]}`).join(", ");
const list = parts => `[${parts.join(", ")}]`;
const names = keys => list(keys.map(key => JSON.stringify(key)));
const JSON_TYPE = "application/json";

function csvCell(cell) {
  const text = plain(cell);
  return /[",\r\n]|^\s|\s$/.test(text) || cell === '""' ? `"${text.replaceAll('"', '""')}"` : text;
}

const FORMS = [
  {name: "Rows", type: JSON_TYPE, column: 2,
   write: (keys, cells) => `"data": [${list(cells)}]`},
  {name: "Records", type: JSON_TYPE, column: 2,
   write: (keys, cells) => `"data": [{${pairs(keys, cells)}}]`},
  {name: "Split", type: JSON_TYPE, column: 3,
   write: (keys, cells) => `"dataframe_split": {"columns": ${names(keys)}, "data": [${list(cells)}]}`},
  {name: "Columns", type: JSON_TYPE, column: 1,
   write: (keys, cells) => `"data": {${pairs(keys, cells.map(cell => `[${cell}]`))}}`},
  {name: "CSV", type: "text/csv", column: 1,
   write: (keys, cells) => `${keys.map(key => csvCell(JSON.stringify(key))).join(",")}\n${cells.map(csvCell).join(",")}\n`},
];

/* The exact body. `options`: texts of JSON members, such as "method"; a CSV has no place for them. */
function bodyOf(form, keys, cells, options) {
  const data = form.write(keys, cells);
  return form.type === JSON_TYPE ? `{${[data, ...options].join(", ")}}` : data;
}

/* Where an error belongs: {column}, {option}, {parameter}, or {} for the whole request. */
function placeOf(form, keys, location) {
  const parts = (location ?? "").split("/").slice(1).map(part => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (parts[0] === "method") return {option: "method"};
  if (parts[0] === "params") return parts.length > 1 ? {parameter: parts[1]} : {};
  const part = parts[form.column];
  if (part === undefined) return {};
  const byName = form.name === "Records" || form.name === "Columns";
  const column = byName ? keys.indexOf(part) : Number(part);
  return column in keys ? {column} : {};
}
