/* Tabs as WAI-ARIA has them: arrow keys, Home and End choose; Tab leaves for the panel. */
function tabs(parent, label, names, onChange) {
  const list = put(parent, "div", {role: "tablist", "aria-label": label});
  const panel = put(parent, "pre", {role: "tabpanel", tabindex: 0, id: `${parent.id}-panel`});
  const buttons = names.map((name, place) => put(list, "button", {
    type: "button", role: "tab", id: `${parent.id}-${place}`, "aria-controls": panel.id}, name));
  let current = 0;

  function choose(place) {
    current = place;
    buttons.forEach((button, other) => {
      button.setAttribute("aria-selected", other === place);
      button.tabIndex = other === place ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[place].id);
    onChange();
  }

  buttons.forEach((button, place) => button.addEventListener("click", () => choose(place)));
  list.addEventListener("keydown", event => {
    const last = buttons.length - 1;
    const places = {ArrowRight: current < last ? current + 1 : 0, ArrowLeft: current || last + 1,
                    Home: 0, End: last};
    if (!(event.key in places)) return;
    event.preventDefault();
    choose(event.key === "ArrowLeft" ? places.ArrowLeft - 1 : places[event.key]);
    buttons[current].focus();
  });
  return {panel, choose, get current() { return current; }};
}
