// How does the page of a campaign begin? With the cell that is named, or the one of the lowest error.
"use strict";

const page = JSON.parse($("numbers").textContent);
let viewer;

function lowestCell() {
  const values = page.quantities[0].values[mainMethod().name];
  const known = [...values.keys()].filter((cell) => values[cell] !== null);
  return known.length ? known.reduce((low, cell) => (values[cell] < values[low] ? cell : low)) : 0;
}

function listPlaces() {
  const labels = axes().map((axis, number) => {
    const select = make(
      "select",
      {},
      ...axis.texts.map((text, place) => make("option", { value: place, textContent: text })),
    );
    select.addEventListener("change", () =>
      choose(state.at.map((place, n) => (n === number ? Number(select.value) : place))),
    );
    return make("label", {}, axis.label, select);
  });
  $("where").replaceChildren(...labels);
}

function begin() {
  [state.method, state.mapMethod] = [mainMethod().name, mainMethod().name];
  state.at = placesOf(page.first_cell ?? lowestCell());
  listPlaces();
  listSwitches();
  fill(
    $("concentration-element"),
    Object.keys(page.elements).map((symbol) => [symbol, symbol]),
  );
  drawMaps();
  performance.mark("first picture");
  viewer = new VolumeViewer($("volumes"));
  hearSwitches();
  hearTrials();
  $("cell-method").addEventListener("change", () => inTurn(drawLandscape, drawCost));
  $("concentration-element").addEventListener("change", drawConcentrations);
  const letters = new Set(Object.values(page.marks).flat().join(""));
  const marks = [...letters].map((letter) => `${letter}: ${page.mark_words[letter]}`);
  $("map-note").textContent = [...marks, "Rows below the map: methods that do not see its upward axis."].join(". ");
  watchPage();
  requestAnimationFrame(() => setTimeout(() => showCell([drawAtlas, showTrials]))); // the map is seen first
}

begin();
