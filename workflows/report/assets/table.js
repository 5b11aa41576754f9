// Which trials were made? A table that is sorted by its heads and filtered by what is typed.
"use strict";

const STEP = 100; // rows at a time
const inOrder = new Intl.Collator("en", { numeric: true }).compare;
const list = { by: "condition", down: false, shown: STEP };

function trialColumns() {
  const parameters = Object.keys(page.parameters).filter((name) => page.trials[name]?.some((value) => value !== null));
  return [
    ["condition", "condition", String],
    ["trial", "trial", String],
    ["status", "status", String],
    ["nrmse", "NRMSE", fixed],
    ["rmse", "RMSE", fixed],
    ["stoichiometry_error", "stoichiometry error", fixed],
    ...parameters.map((name) => [name, page.parameters[name], short]),
    ["fidelity", "fidelity", short],
    ["iterations", "iterations", String],
    ["stopped", "stopped", String],
    ["seconds", "s", short],
    ["device", "device", String],
    ["reason", "reason", String],
  ];
}

function chosenTrials() {
  const [words, method, status] = [
    $("trials-find").value.toLowerCase(),
    $("trials-method").value,
    $("trials-status").value,
  ];
  const ofMethod = new Set(method === "all" ? [] : page.conditions[method].flat());
  const ofCell = new Set(page.methods.flatMap((one) => keysOf(one.name)));
  const fits = (number) =>
    (!words || `${ofTrial("condition", number)} ${ofTrial("reason", number)}`.toLowerCase().includes(words)) &&
    (method === "all" || ofMethod.has(ofTrial("condition", number))) &&
    (status === "all" || ofTrial("status", number) === status) &&
    (!$("trials-cell").checked || ofCell.has(ofTrial("condition", number)));
  return page.trials.condition
    .map((_, number) => number)
    .filter(fits)
    .sort(byColumn);
}

/** What is not known comes last, whichever way. */
function byColumn(one, other) {
  const [a, b] = [ofTrial(list.by, one), ofTrial(list.by, other)];
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? inOrder(a, b) : a - b;
  return list.down ? -order : order;
}

function showTrials() {
  const columns = trialColumns();
  const numbers = chosenTrials();
  const heads = columns.map(([name, label]) => {
    const button = make("button", { type: "button" }, label, name === list.by ? (list.down ? " ▾" : " ▴") : "");
    button.addEventListener("click", () => sortBy(name));
    const head = make("th", { scope: "col" }, button);
    if (name === list.by) head.setAttribute("aria-sort", list.down ? "descending" : "ascending");
    return head;
  });
  const rows = numbers.slice(0, list.shown).map((number) => trialRow(columns, number));
  $("trials-table").replaceChildren(make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  const more = page.trials_left_out ? `; the journal has ${page.trials_left_out} more` : "";
  $("trials-count").textContent = `${numbers.length} of ${page.trials.condition.length} trials${more}`;
  $("trials-more").hidden = numbers.length <= list.shown;
}

function trialRow(columns, number) {
  const cells = columns.map(([name, , say]) => {
    const value = ofTrial(name, number);
    return make("td", { className: name === "reason" ? "reason" : "" }, value === null ? "–" : say(value));
  });
  const row = make("tr", {}, ...cells);
  row.addEventListener("click", () => chooseCondition(ofTrial("condition", number)));
  return row;
}

function sortBy(name) {
  list.down = list.by === name && !list.down;
  list.by = name;
  showTrials();
  [...$("trials-table").querySelectorAll("th button")]
    .find((button) => button.parentElement.hasAttribute("aria-sort"))
    ?.focus();
}

/** Choose the cell of a condition; a method that is blind to an axis leaves the place along it. */
function chooseCondition(key) {
  const method = page.methods.find((one) => page.conditions[one.name].some((keys) => keys.includes(key)));
  if (!method) return;
  const fits = page.conditions[method.name].flatMap((keys, cell) => (keys.includes(key) ? [placesOf(cell)] : []));
  const kept = (at) => at.filter((place, axis) => place === state.at[axis]).length;
  choose(
    fits.reduce((near, at) => (kept(at) > kept(near) ? at : near)),
    method.name,
  );
  $("cell").scrollIntoView({ block: "start" });
}

/** Positions along the axes of a cell's number. */
function placesOf(cell) {
  const at = [];
  for (const axis of [...axes()].reverse()) {
    at.unshift(cell % axis.texts.length);
    cell = Math.floor(cell / axis.texts.length);
  }
  return at;
}

function hearTrials() {
  fill($("trials-method"), [["all", "all"], ...page.methods.map((one) => [one.name, one.label])]);
  for (const id of ["trials-find", "trials-method", "trials-status", "trials-cell"])
    $(id).addEventListener("input", () => {
      list.shown = STEP;
      showTrials();
    });
  $("trials-more").addEventListener("click", () => {
    list.shown += 5 * STEP;
    showTrials();
  });
}
