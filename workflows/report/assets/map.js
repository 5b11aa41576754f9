// How do the sampling map and the atlas look, and which cell is chosen?
"use strict";

/** What is shown: the chosen cell as a position along every axis, and the switches. */
const state = { at: [], method: "", mapMethod: "", quantity: 0, weight: 0, swap: false, every: false };

const GAP = 0.45; // rows between the map and the methods that do not see its upward axis
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

function whereWords(method, at) {
  const seen = axes().map((axis, number) => (methodNamed(method).sees[number] ? axis.said[at[number]] : ""));
  return seen.filter(Boolean).join(", ");
}

function valueOf(quantity, method, at) {
  return quantity.values[method][cellNumber(at)];
}

const quantityNamed = (name, element) => page.quantities.find((one) => one.name === name && one.element === element);

function withDeviation(quantity, method, at) {
  const deviation = quantity.deviation?.[method][cellNumber(at)];
  return fixed(valueOf(quantity, method, at)) + (deviation ? ` ± ${fixed(deviation)}` : "");
}

/** All that is known of a cell, a line each. */
function cellLines(method, at) {
  const errors = page.quantities.filter((one) => one.group === "error" || one.group === "error on other noise");
  const lines = errors.map((one) => `${one.label} ${withDeviation(one, method, at)}`);
  const elements = Object.keys(page.elements);
  for (const [name, label] of [["nrmse_by_element", "NRMSE"], ["rmse_by_element", "RMSE"]]) {
    const told = elements.map((symbol) => `${symbol} ${fixed(valueOf(quantityNamed(name, symbol), method, at))}`);
    if (told.length) lines.push(`${label} of ${told.join(", ")}`);
  }
  for (const one of page.quantities.filter((each) => each.group.startsWith("weights"))) {
    const value = valueOf(one, method, at);
    if (value === null) continue;
    const [low, high] = [one.low, one.high].map((end) => end?.[method][cellNumber(at)] ?? null);
    lines.push(`${one.label} ${short(value)}${low === null ? "" : ` (${short(low)} to ${short(high)} within 5 %)`}`);
  }
  const count = (name) => valueOf(quantityNamed(name), method, at);
  lines.push(`${count("trials")} trials, ${count("failed")} failed; ${short(count("iterations"))} iterations of the best`);
  const regret = quantityNamed("regret_bound");
  if (regret) lines.push(`certificate: regret at most ${percent(valueOf(regret, method, at))} (95 %)`);
  return [...lines, ...markWords(method, at)];
}

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);

function markWords(method, at) {
  return [...page.marks[method][cellNumber(at)]].map((letter) => page.mark_words[letter]);
}

function hoverText(method, at) {
  const head = [methodNamed(method).label, whereWords(method, at)].filter(Boolean).join(", ");
  return [`<b>${plain(head)}</b>`, ...cellLines(method, at).map(plain)].join("<br>");
}

/** Methods that see the upward axis have maps; the others are a row each below the map. */
function mapsAndRows() {
  const upwards = acrossAndUpwards()[1];
  return [page.methods.filter((one) => one.sees[upwards]), page.methods.filter((one) => !one.sees[upwards])];
}

/** The blocks of a map: { method, rows: [{ y, label, cells: [at, ...] }] }. */
function blocks(withRows) {
  const [across, upwards] = acrossAndUpwards();
  const row = (place) => axes()[across].texts.map((_, column) => moved([[across, column], [upwards, place]]));
  const own = axes()[upwards].texts.map((label, place) => ({ y: place, label, cells: row(place) }));
  const below = (withRows ? mapsAndRows()[1] : []).map((one, number) => ({
    method: one.name,
    rows: [{ y: -1 - GAP - number, label: one.label, cells: row(0) }],
  }));
  return [{ method: state.mapMethod, rows: own }, ...below];
}

/** Smallest and largest value of the map over all cells, or of the rows below it as well. */
function colorRange(quantity, scaled, shown) {
  const wanted = state.every ? shown.map((block) => block.method) : [state.mapMethod];
  const values = wanted.flatMap((method) => quantity.values[method]).map(scaled).filter(Number.isFinite);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high - low > 1e-9 * Math.abs(high) ? [low, high] : [low - 0.1, high + 0.1];
}

function cellText(quantity, method, at, room) {
  const value = valueOf(quantity, method, at);
  if (value === null || room < 30) return "";
  const error = quantity.group.startsWith("error");
  const deviation = quantity.deviation?.[method][cellNumber(at)];
  const marked = error ? page.marks[method][cellNumber(at)] : "";
  const number = error ? value.toFixed(2) : short(Number(value.toPrecision(2)));
  return number + (marked && room > 42 ? `<sup>${marked}</sup>` : "") + (deviation && room > 46 ? `<br>±${fixed(deviation)}` : "");
}

function heatTrace(quantity, block, scaled, room) {
  const grid = (of) => block.rows.map((row) => row.cells.map(of));
  return {
    type: "heatmap",
    y: block.rows.map((row) => row.y),
    z: grid((at) => scaled(valueOf(quantity, block.method, at))),
    text: grid((at) => cellText(quantity, block.method, at, room)),
    texttemplate: "%{text}",
    textfont: { size: room < 40 ? 10 : 12 },
    hovertext: grid((at) => hoverText(block.method, at)),
    hovertemplate: "%{hovertext}<extra></extra>",
    hoverongaps: true,
    coloraxis: "coloraxis",
    xgap: 1.5,
    ygap: 1.5,
    meta: { method: block.method, cells: block.rows.map((row) => row.cells) },
  };
}

function heatFigure(quantity, said) {
  return (colors, width) => {
    const [across, upwards] = acrossAndUpwards();
    const columns = axes()[across].texts;
    const shown = blocks(!quantity.group.startsWith("weights"));
    const rows = shown.flatMap((block) => block.rows);
    const beside = 16 + 7 * Math.max(4, ...rows.map((row) => row.label.length));
    const room = Math.max(14, Math.min(54, (width - beside - 78) / columns.length));
    const scaled = quantity.scale === "log" ? (value) => (value > 0 ? Math.log10(value) : null) : (value) => value;
    const range = colorRange(quantity, scaled, shown);
    const ticks = quantity.scale === "log" ? { tickvals: logTicks(range) } : { nticks: 6 };
    if (ticks.tickvals) ticks.ticktext = ticks.tickvals.map((tick) => short(10 ** tick));
    const lowest = Math.min(...rows.map((row) => row.y));
    const height = room * (Math.max(...rows.map((row) => row.y)) - lowest + 1);
    return {
      said,
      data: shown.map((block) => heatTrace(quantity, block, scaled, room)),
      layout: {
        width: Math.min(width, beside + room * columns.length + 78),
        height: height + 62,
        margin: { l: beside, r: 78, t: 8, b: 54, autoexpand: false },
        coloraxis: { colorscale: "Viridis", cmin: range[0], cmax: range[1], colorbar: { thickness: 12, outlinewidth: 0, ...ticks } },
        xaxis: { tickvals: columns.map((_, n) => n), ticktext: columns.map(plain), title: { text: plain(axes()[across].label) }, showgrid: false, fixedrange: true, range: [-0.5, columns.length - 0.5] },
        yaxis: { tickvals: rows.map((row) => row.y), ticktext: rows.map((row) => plain(row.label)), title: { text: plain(axes()[upwards].label), standoff: 6 }, showgrid: false, fixedrange: true, range: [lowest - 0.5, shown[0].rows.length - 0.5] },
      },
      frame: { left: beside, top: 8, room, lowest, rows: shown[0].rows.length },
    };
  };
}

/** Move the frame around the chosen cell: an element above the map, which need not be drawn anew for it. */
function moveFrame(id) {
  const geometry = frames.get(id);
  const frame = $(id).parentElement.querySelector(".frame");
  const [across, upwards] = acrossAndUpwards();
  const below = mapsAndRows()[1].findIndex((one) => one.name === state.method);
  const y = below >= 0 ? -1 - GAP - below : state.at[upwards];
  frame.hidden = !geometry || y < geometry.lowest;
  if (frame.hidden) return;
  const { left, top, room, rows } = geometry;
  Object.assign(frame.style, { left: `${left + room * state.at[across]}px`, top: `${top + room * (rows - 1 - y)}px`, width: `${room}px`, height: `${room}px` });
}

/** With a single axis: a line for every method. */
function lineFigure(quantity, said) {
  return (colors, width) => {
    const [axis] = axes();
    const numbers = axis.texts.map(Number);
    const numeric = axis.scale !== "category" && numbers.every(Number.isFinite);
    const log = numeric && axis.scale === "log" && numbers.every((value) => value > 0);
    const places = axis.texts.map((_, place) => [place]);
    const lines = page.methods.map((method) => ({
      type: "scatter",
      mode: "lines+markers",
      name: method.label,
      x: numeric ? numbers : axis.texts,
      y: places.map((at) => valueOf(quantity, method.name, at)),
      error_y: quantity.deviation ? { array: quantity.deviation[method.name], thickness: 1, width: 3 } : undefined,
      marker: { color: method.color, size: places.map((at) => (at[0] === state.at[0] && method.name === state.method ? 14 : 8)), line: { color: colors.ink, width: 1 } },
      line: { color: method.color },
      hovertext: places.map((at) => hoverText(method.name, at)),
      hovertemplate: "%{hovertext}<extra></extra>",
      meta: { method: method.name, cells: [places] },
    }));
    return {
      said,
      data: lines.filter((line) => line.y.some((value) => value !== null)),
      layout: {
        height: 380,
        xaxis: { title: { text: plain(axis.label) }, type: numeric ? (log ? "log" : "linear") : "category", ...(numeric ? { tickvals: numbers, ticktext: axis.texts } : {}) },
        yaxis: axisOver(Object.values(quantity.values).flat(), quantity.scale, quantity.label),
        width: Math.min(width, 640),
      },
    };
  };
}

function said(quantity) {
  const values = quantity.values[state.mapMethod].filter((value) => value !== null);
  const span = values.length ? `from ${short(Math.min(...values))} to ${short(Math.max(...values))}` : "without a value";
  return `${quantity.label} of ${methodNamed(state.mapMethod).label}, ${span}. Arrow keys choose a cell.`;
}

const frames = new Map(); // by map where its cells lie

function drawMap(id, quantity) {
  const build = (axes().length > 1 ? heatFigure : lineFigure)(quantity, said(quantity));
  draw($(id), (colors, width) => {
    const figure = build(colors, width);
    if (figure.frame) frames.set(id, figure.frame);
    setTimeout(() => moveFrame(id));
    return figure;
  });
  if ($(id).dataset.heard) return;
  $(id).dataset.heard = "yes";
  $(id).on("plotly_click", ({ points: [point] }) => {
    const { method, cells } = point.data.meta;
    const at = axes().length > 1 ? cells[point.pointNumber[0]][point.pointNumber[1]] : cells[0][point.pointNumber];
    choose(at, method);
  });
  $(id).addEventListener("keydown", walk);
}

/** Arrow keys: one cell further; below the lowest row of the map come the methods below it. */
function walk(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const [across, upwards] = axes().length > 1 ? acrossAndUpwards() : [0, null];
  const order = axes().length > 1 ? [...mapsAndRows()[1].map((one) => one.name).reverse()] : page.methods.map((one) => one.name);
  const clamp = (place, axis) => Math.max(0, Math.min(axes()[axis].texts.length - 1, place));
  let [at, method] = [moved([[across, clamp(state.at[across] + step[0], across)]]), state.method];
  if (step[1] && upwards === null) method = order[Math.max(0, Math.min(order.length - 1, order.indexOf(method) - step[1]))];
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
      make("optgroup", { label }, ...members.map((one) => make("option", { value: page.quantities.indexOf(one), textContent: one.label }))),
    );
  fill($("weight"), weights().map((one, number) => [number, one.label]));
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
  fill($("map-method"), maps.map((one) => [one.name, one.label]), state.mapMethod);
  state.mapMethod = $("map-method").value;
  $("map-method-of").hidden = maps.length < 2 || axes().length < 2;
}

function hearSwitches() {
  const on = (id, take) => $(id).addEventListener("change", (event) => { take(event.target); drawMaps(); drawAtlas(); });
  on("quantity", (one) => { state.quantity = Number(one.value); });
  on("weight", (one) => { state.weight = Number(one.value); });
  on("every-colour", (one) => { state.every = one.checked; });
  on("map-method", (one) => { state.mapMethod = one.value; if (!mapsAndRows()[1].some((row) => row.name === state.method)) choose(state.at, one.value); });
  on("swap", (one) => { state.swap = one.checked; listMaps(); if (methodNamed(state.method).sees[acrossAndUpwards()[1]]) state.mapMethod = $("map-method").value = state.method; });
}
