// Which map is shown, and how is a cell of it chosen? By click, by arrow keys, by switches.
"use strict";

/** What is shown: the chosen cell as a position along every axis, and the switches. */
const state = { at: [], method: "", mapMethod: "", quantity: 0, weight: 0, swap: false, every: false };

const axes = () => page.axes;
const methodNamed = (name) => page.methods.find((one) => one.name === name);
const mainMethod = () => page.methods[0];

/** The number of a cell: the last axis runs fastest. */
const cellNumber = (at) => at.reduce((number, place, axis) => number * axes()[axis].texts.length + place, 0);

function acrossAndUpwards() {
  const [across, upwards] = [page.across, page.upwards];
  return state.swap ? [upwards, across] : [across, upwards];
}

/** The same cell with other places along some axes. */
function moved(places) {
  const at = [...state.at];
  for (const [axis, place] of places) at[axis] = place;
  return at;
}

function said(quantity) {
  const values = quantity.values[state.mapMethod].filter((value) => value !== null);
  const span = values.length
    ? `from ${short(Math.min(...values))} to ${short(Math.max(...values))}`
    : "without a value";
  return `${quantity.label} of ${methodNamed(state.mapMethod).label}, ${span}. Arrow keys choose a cell.`;
}

/** Arrow keys: one cell further; below the lowest row of the map come the methods below it. */
function walk(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const [across, upwards] = axes().length > 1 ? acrossAndUpwards() : [0, null];
  const order =
    axes().length > 1
      ? [
          ...mapsAndRows()[1]
            .map((one) => one.name)
            .reverse(),
        ]
      : page.methods.map((one) => one.name);
  const clamp = (place, axis) => Math.max(0, Math.min(axes()[axis].texts.length - 1, place));
  let [at, method] = [moved([[across, clamp(state.at[across] + step[0], across)]]), state.method];
  if (step[1] && upwards === null)
    method = order[Math.max(0, Math.min(order.length - 1, order.indexOf(method) - step[1]))];
  if (step[1] && upwards !== null) {
    const levels = [...order, ...axes()[upwards].texts.map((_, place) => place)];
    const now = method === state.mapMethod ? order.length + state.at[upwards] : order.indexOf(method);
    const next = levels[Math.max(0, Math.min(levels.length - 1, now + step[1]))];
    method = typeof next === "string" ? next : state.mapMethod;
    if (typeof next === "number") at[upwards] = next;
  }
  choose(at, method);
}

const weights = () => page.quantities.filter((one) => one.group === "weights");

function drawMaps() {
  drawMap("map", page.quantities[state.quantity]);
  $("map-title").textContent = `Sampling map: ${page.quantities[state.quantity].label}`;
  $("atlas-part").hidden = !weights().length;
}

function drawAtlas() {
  if (!weights().length) return;
  drawMap("atlas", weights()[state.weight]);
  $("atlas-title").textContent = `Atlas: ${weights()[state.weight].label} of the best trial`;
}

/** What the drawn maps depend on beside the chosen cell's place in them. */
function mapsShown() {
  const [across, upwards] = acrossAndUpwards();
  const others = state.at.filter((_, axis) => axis !== across && axis !== upwards);
  return JSON.stringify([state.mapMethod, state.swap, others, axes().length > 1 ? null : [state.at, state.method]]);
}

function listSwitches() {
  const groups = Map.groupBy ? Map.groupBy(page.quantities, (one) => one.group) : grouped(page.quantities);
  for (const [label, members] of groups)
    $("quantity").append(
      make(
        "optgroup",
        { label },
        ...members.map((one) => make("option", { value: page.quantities.indexOf(one), textContent: one.label })),
      ),
    );
  fill(
    $("weight"),
    weights().map((one, number) => [number, one.label]),
  );
  $("swap-of").hidden = axes().length < 2;
  listMaps();
}

function grouped(quantities) {
  const groups = new Map();
  for (const one of quantities) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return groups;
}

function listMaps() {
  const maps = axes().length > 1 ? mapsAndRows()[0] : page.methods;
  fill(
    $("map-method"),
    maps.map((one) => [one.name, one.label]),
    state.mapMethod,
  );
  state.mapMethod = $("map-method").value;
  $("map-method-of").hidden = maps.length < 2 || axes().length < 2;
}

function hearSwitches() {
  const on = (id, take) =>
    $(id).addEventListener("change", (event) => {
      take(event.target);
      drawMaps();
      drawAtlas();
    });
  on("quantity", (one) => {
    state.quantity = Number(one.value);
  });
  on("weight", (one) => {
    state.weight = Number(one.value);
  });
  on("every-colour", (one) => {
    state.every = one.checked;
  });
  on("map-method", (one) => {
    state.mapMethod = one.value;
    if (!mapsAndRows()[1].some((row) => row.name === state.method)) choose(state.at, one.value);
  });
  on("swap", (one) => {
    state.swap = one.checked;
    listMaps();
    if (methodNamed(state.method).sees[acrossAndUpwards()[1]]) state.mapMethod = $("map-method").value = state.method;
  });
}
