// What is told of a cell? Every number that is known, a line each.
"use strict";

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
  for (const [name, label] of [
    ["nrmse_by_element", "NRMSE"],
    ["rmse_by_element", "RMSE"],
  ]) {
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
  lines.push(
    `${count("trials")} trials, ${count("failed")} failed; ${short(count("iterations"))} iterations of the best`,
  );
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
