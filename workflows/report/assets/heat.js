// How is a map drawn? As cells in their colours, or with a single axis as lines.
"use strict";

const GAP = 0.45; // rows between the map and the methods that do not see its upward axis

/** Methods that see the upward axis have maps; the others are a row each below the map. */
function mapsAndRows() {
  const upwards = acrossAndUpwards()[1];
  return [page.methods.filter((one) => one.sees[upwards]), page.methods.filter((one) => !one.sees[upwards])];
}

/** The blocks of a map: { method, rows: [{ y, label, cells: [at, ...] }] }. */
function blocks(withRows) {
  const [across, upwards] = acrossAndUpwards();
  const row = (place) =>
    axes()[across].texts.map((_, column) =>
      moved([
        [across, column],
        [upwards, place],
      ]),
    );
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
  const values = wanted
    .flatMap((method) => quantity.values[method])
    .map(scaled)
    .filter(Number.isFinite);
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
  return (
    number +
    (marked && room > 42 ? `<sup>${marked}</sup>` : "") +
    (deviation && room > 46 ? `<br>±${fixed(deviation)}` : "")
  );
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
        coloraxis: {
          colorscale: "Viridis",
          cmin: range[0],
          cmax: range[1],
          colorbar: { thickness: 12, outlinewidth: 0, ...ticks },
        },
        xaxis: {
          tickvals: columns.map((_, n) => n),
          ticktext: columns.map(plain),
          title: { text: plain(axes()[across].label) },
          showgrid: false,
          fixedrange: true,
          range: [-0.5, columns.length - 0.5],
        },
        yaxis: {
          tickvals: rows.map((row) => row.y),
          ticktext: rows.map((row) => plain(row.label)),
          title: { text: plain(axes()[upwards].label), standoff: 6 },
          showgrid: false,
          fixedrange: true,
          range: [lowest - 0.5, shown[0].rows.length - 0.5],
        },
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
  Object.assign(frame.style, {
    left: `${left + room * state.at[across]}px`,
    top: `${top + room * (rows - 1 - y)}px`,
    width: `${room}px`,
    height: `${room}px`,
  });
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
      marker: {
        color: method.color,
        size: places.map((at) => (at[0] === state.at[0] && method.name === state.method ? 14 : 8)),
        line: { color: colors.ink, width: 1 },
      },
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
        xaxis: {
          title: { text: plain(axis.label) },
          type: numeric ? (log ? "log" : "linear") : "category",
          ...(numeric ? { tickvals: numbers, ticktext: axis.texts } : {}),
        },
        yaxis: axisOver(Object.values(quantity.values).flat(), quantity.scale, quantity.label),
        width: Math.min(width, 640),
      },
    };
  };
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
