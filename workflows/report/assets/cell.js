// Which cell is chosen, and what is known of it? Numbers of all methods, its trials, its reconstructions.
"use strict";

/** Choose a cell and show it; places are positions along the axes. */
function choose(at, method = state.method) {
  const before = mapsShown();
  [state.at, state.method] = [[...at], method];
  if (axes().length > 1 && methodNamed(method).sees[acrossAndUpwards()[1]])
    state.mapMethod = $("map-method").value = method;
  const changed = mapsShown() !== before;
  if (changed) drawMaps();
  else for (const id of frames.keys()) moveFrame(id);
  showCell(changed ? [drawAtlas] : []);
}

/** The keys of the chosen cell's conditions, one for each repeat; the first one stands for the cell. */
const keysOf = (method) => page.conditions[method][cellNumber(state.at)];

/** The numbers at once, then one figure after the other. */
function showCell(more = []) {
  const where = axes()
    .map((axis, number) => axis.said[state.at[number]])
    .join(", ");
  $("cell-title").textContent = where;
  $("where")
    .querySelectorAll("select")
    .forEach((select, axis) => {
      select.value = state.at[axis];
    });
  $("chosen").textContent =
    `${methodNamed(state.method).label}, ${where}: ${cellLines(state.method, state.at).join("; ")}`;
  showCellTable();
  const searched = page.methods.filter((one) => trialsOf(one.name).length);
  fill(
    $("cell-method"),
    searched.map((one) => [one.name, one.label]),
    state.method,
  );
  const trials = $("trials-cell").checked ? [showTrials] : [];
  inTurn(drawLandscape, showVolumes, drawSearch, drawCost, drawConcentrations, ...more, ...trials, () =>
    performance.mark("cell shown"),
  );
}

function showCellTable() {
  const errors = page.quantities.filter((one) => one.group === "error");
  const elements = Object.keys(page.elements);
  const weights = page.quantities.filter((one) => one.group.startsWith("weights"));
  const counts = page.quantities.filter((one) => one.group === "search");
  const heads = [
    "method",
    ...errors.map((one) => one.label),
    ...elements.map((one) => `NRMSE of ${one}`),
    ...weights.map((one) => one.label),
    ...counts.map((one) => one.label),
    "marks",
    "reconstruction",
  ];
  const rows = page.methods.map((one) => {
    const values = [
      ...errors.map((each) => withDeviation(each, one.name, state.at)),
      ...elements.map((symbol) => fixed(valueOf(quantityNamed("nrmse_by_element", symbol), one.name, state.at))),
      ...weights.map((each) => short(valueOf(each, one.name, state.at))),
      ...counts.map((each) => (each.name === "regret_bound" ? percent : short)(valueOf(each, one.name, state.at))),
      [...page.marks[one.name][cellNumber(state.at)]].map((letter) => page.mark_names[letter]).join(", "),
    ];
    const head = make(
      "th",
      { scope: "row" },
      make("span", { className: "swatch", style: `background:${one.color}` }),
      one.label,
    );
    return make(
      "tr",
      { className: one.name === state.method ? "chosen" : "" },
      head,
      ...values.map((value) => make("td", {}, value)),
      make("td", {}, volumeLink(one.name)),
    );
  });
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  $("cell-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function volumeLink(method) {
  const file = page.files[keysOf(method)[0]];
  return file ? make("a", { href: encodeURI(file), textContent: file.split("/").pop() }) : "not kept";
}

/** The numbers of the trials of a method in the chosen cell, in their order. */
function trialsOf(method) {
  const keys = new Set(keysOf(method));
  return page.trials.condition.flatMap((key, number) => (keys.has(key) ? [number] : []));
}

const ofTrial = (name, number) => page.trials[name]?.[number] ?? null;

function trialText(number) {
  const weights = Object.keys(page.parameters).filter((name) => ofTrial(name, number) !== null);
  const head = `<b>${plain(ofTrial("condition", number))}, trial ${ofTrial("trial", number)}</b>`;
  const told = weights.map((name) => `${page.parameters[name]} ${short(ofTrial(name, number))}`).join(", ");
  const result =
    ofTrial("status", number) === "ok"
      ? `NRMSE ${fixed(ofTrial("nrmse", number))}, RMSE ${fixed(ofTrial("rmse", number))}`
      : `failed: ${ofTrial("reason", number).slice(0, 80)}`;
  const cost = `fidelity ${short(ofTrial("fidelity", number))}, ${ofTrial("iterations", number)} iterations, ${short(ofTrial("seconds", number))} s`;
  return [head, plain(told), plain(result), cost].join("<br>");
}

/** Slices and surfaces of the reconstructions that are kept, beside the truth. */
function showVolumes() {
  const kept = [...page.methods].reverse().filter((one) => page.volumes[keysOf(one.name)[0]]);
  const elsewhere = page.methods.filter((one) => page.files[keysOf(one.name)[0]]);
  const why = elsewhere.length
    ? `The reconstructions of this cell lie in the run folder, but not in this page: fusedtomo report RUN --cells all, or fusedtomo view ${page.files[keysOf(elsewhere[0].name)[0]]}.`
    : `No reconstruction of this cell is kept. Name it in the campaign's report.slices; fusedtomo run then makes it.`;
  $("no-volumes").textContent = kept.length ? "" : why;
  $("volumes").hidden = !kept.length;
  if (!kept.length) return;
  const error = quantityNamed("nrmse");
  const rows = kept.map((one) => ({
    label: one.label,
    note: `NRMSE ${fixed(valueOf(error, one.name, state.at))}`,
    key: keysOf(one.name)[0],
  }));
  viewer.show([{ label: "truth", note: "", key: page.truth_of[rows[0].key], exact: true }, ...rows]);
}
