// What do all pages share? Small helpers, and figures that follow the page's colours and width.
"use strict";

const $ = (id) => document.getElementById(id);

/** A new element: make("td", { className: "reason" }, "text"). Children that are strings become text, never HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Options of a select element, as [value, text] pairs; the choice stays where it still exists. */
function fill(select, pairs, chosen = select.value) {
  select.replaceChildren(...pairs.map(([value, text]) => make("option", { value, textContent: text })));
  if (pairs.some(([value]) => String(value) === String(chosen))) select.value = chosen;
}

/** A number with three significant digits; a dash for what is not known. */
function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

const fixed = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

/** Text as Plotly shows it: it would take some tags for its own. */
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function pageColors() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    ["ink", "paper", "line", "faint", "card", "accent"].map((name) => [
      name,
      style.getPropertyValue(`--${name}`).trim(),
    ]),
  );
}

const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false };
const drawn = new Map(); // the element of every figure, and what builds it

function baseLayout(colors) {
  const axis = { gridcolor: colors.line, linecolor: colors.line, zeroline: false };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colors.ink, family: "system-ui, sans-serif", size: 12 },
    // margins that Plotly finds by itself may swing for ever between two, with a warning
    margin: { l: 62, r: 14, t: 54, b: 46, autoexpand: false },
    hoverlabel: { bgcolor: colors.card, bordercolor: colors.faint, font: { color: colors.ink }, align: "left" },
    legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, font: { size: 11 } },
    xaxis: axis,
    yaxis: axis,
  };
}

/** Draw a figure: build(colours, width) gives { data, layout, said }; it is called again when colours or width change. */
function draw(element, build) {
  drawn.set(element, build);
  const colors = pageColors();
  const { data, layout, said } = build(colors, element.clientWidth);
  const base = baseLayout(colors);
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const merged = Object.fromEntries(axes.map((name) => [name, { ...base.xaxis, ...layout[name] }]));
  element.setAttribute("aria-label", said);
  if (!element.hasAttribute("role")) element.setAttribute("role", "img");
  Plotly.react(element, data, { ...base, ...layout, ...merged }, CONFIG);
}

/** Ticks of a logarithmic axis between two powers of ten: round numbers, more of them where there is little to tell. */
function logTicks([low, high]) {
  const steps = high - low > 2.6 ? [1] : high - low > 1.6 ? [1, 3] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++)
    for (const step of steps) {
      const tick = power + Math.log10(step);
      if (tick >= low - 1e-9 && tick <= high + 1e-9) ticks.push(tick);
    }
  return ticks.length > 1 ? ticks : [low, high];
}

/** An axis over some values, whose ticks are written out: 0.03, not a small 3. */
function axisOver(values, scale, label) {
  const title = { text: plain(label) };
  const known = values.filter((value) => value > 0);
  if (scale !== "log" || !known.length) return { title };
  const span = [Math.log10(Math.min(...known)), Math.log10(Math.max(...known))];
  const ticks = logTicks(span);
  const pad = 0.04 * (span[1] - span[0] || 1);
  return {
    title,
    type: "log",
    range: [span[0] - pad, span[1] + pad],
    tickvals: ticks.map((tick) => 10 ** tick),
    ticktext: ticks.map((tick) => short(10 ** tick)),
  };
}

let queue = [];

/** Do some work piece by piece, so that what was done is seen meanwhile; a new list takes the place of what is left. */
function inTurn(...pieces) {
  const mine = (queue = pieces);
  const next = () => {
    if (mine !== queue || !mine.length) return;
    mine.shift()();
    setTimeout(next);
  };
  setTimeout(next);
}

function redraw() {
  viewer?.solid.redraw();
  for (const [element, build] of drawn) if (element.isConnected && element.clientWidth) draw(element, build);
}

function erase(element) {
  drawn.delete(element);
  Plotly.purge(element);
}

function watchPage() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  });
  let width = innerWidth;
  let waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 120);
  });
}
