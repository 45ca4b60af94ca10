/* Puts the page together. */
const FEW_COLUMNS = 12;  // with more there is a filter
const model = JSON.parse(id("facts").textContent);
const keys = model.features.map(({key}) => key);
const url = new URL("score", location.href).href;

document.title = `${model.name} – try it`;
id("model").textContent = `${model.name} ${model.version}`;
id("about").textContent = `POST ${url}`;

const fields = model.features.map((feature, i) =>
  field(id("fields"), `column-${i}`, feature, model.rows.map(row => row[i])));
const method = field(id("options"), "method",
  {key: "method", hint: "what the model computes", categories: model.methods.map(name => JSON.stringify(name))}, []);
const parameters = model.parameters.map((parameter, i) =>
  field(id("options"), `parameter-${i}`, {...parameter, key: `params.${parameter.name}`}, []));
const forms = tabs(id("forms"), "Form of the body", FORMS.map(({name}) => name), refresh);
const code = tabs(id("code"), "Language", Object.keys(SNIPPETS), refresh);
let ready = false, row = 0, sending = false;

/* Only what differs from the model's own choice is sent. */
function options() {
  const chosen = method.read() === JSON.stringify(model.methods[0]) ? [] : [`"method": ${method.read()}`];
  const changed = parameters.map((parameter, i) => [model.parameters[i], parameter.read()])
    .filter(([{default: usual}, cell]) => cell !== usual)
    .map(([{name}, cell]) => `${JSON.stringify(name)}: ${cell}`);
  return changed.length ? [...chosen, `"params": {${changed.join(", ")}}`] : chosen;
}

const form = () => FORMS[forms.current];
const body = () => bodyOf(form(), keys, fields.map(each => each.read()), options());

function refresh() {
  if (!ready) return;
  const text = body(), ignored = form().type !== JSON_TYPE && options().length;
  forms.panel.textContent = text;
  code.panel.textContent = Object.values(SNIPPETS)[code.current](url, form().type, text);
  id("note").hidden = !ignored;
  id("note").textContent = `A CSV has no place for method and params: this asks for ${model.methods[0]}.`;
}

function fill(place) {
  row = place;
  fields.forEach((each, i) => { each.show(model.rows[row]?.[i] ?? "null"); });
  const count = model.rows.length;
  id("place").textContent = count ? `Row ${row + 1} of ${count}` : "There are no sample rows.";
  id("previous").hidden = id("next").hidden = count < 2;
  clear();
  refresh();
}

function clear() {
  for (const each of [...fields, method, ...parameters]) each.complain("");
  id("trouble").hidden = true;
}

/* At the field that the error names, else above the form. */
function complain(message, location) {
  const {column, option, parameter} = placeOf(form(), keys, location);
  const at = column !== undefined ? fields[column] : option ? method
    : parameters[model.parameters.findIndex(({name}) => name === parameter)];
  if (at) {
    at.box.hidden = false;
    at.complain(message);
    at.element.focus();
  } else {
    id("trouble").textContent = message;
    id("trouble").hidden = false;
    id("trouble").focus();
  }
}

async function send() {
  if (sending) return;
  sending = true;
  id("form").setAttribute("aria-busy", "true");
  clear();
  try {
    const answer = await post(url, form().type, body());
    showAnswer(answer);
    if (!answer.response.ok) complain(answer.document.error ?? `The server answered ${answer.response.status}.`, answer.document.location);
  } catch {
    complain("The server can't be reached; is it still running?");
  } finally {
    sending = false;
    id("form").removeAttribute("aria-busy");
  }
}

function filter() {
  const wanted = id("filter").value.toLowerCase();
  for (const {box, key} of fields) box.hidden = !key.toLowerCase().includes(wanted);
}

let frame = 0;
id("form").addEventListener("input", () => {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(refresh);
});
id("filter").addEventListener("input", filter);
id("filter").addEventListener("keydown", event => { if (event.key === "Enter" && !event.ctrlKey) event.preventDefault(); });
id("filter-label").hidden = fields.length <= FEW_COLUMNS;
id("previous").addEventListener("click", () => fill((row || model.rows.length) - 1));
id("next").addEventListener("click", () => fill((row + 1) % model.rows.length));
id("form").addEventListener("submit", event => { event.preventDefault(); send(); });
document.addEventListener("keydown", event => { if (event.ctrlKey && event.key === "Enter") { event.preventDefault(); send(); } });
method.show(JSON.stringify(model.methods[0]));
parameters.forEach((each, i) => each.show(model.parameters[i].default));
forms.choose(0);
code.choose(0);
ready = true;
fill(0);
