// How does the page of one reconstruction begin? The truth and other volumes stand beside it.
"use strict";

const page = JSON.parse($("numbers").textContent);
const viewer = new VolumeViewer($("volumes"));
viewer.show(page.rows);
watchPage();

for (const [element, shares] of Object.entries(page.histograms ?? {})) {
  const figure = make("div", { className: "plot" });
  $("histograms").append(
    make("figure", { className: "card" }, make("figcaption", {}, `Concentrations of ${element}`), figure),
  );
  draw(figure, () => ({
    said: `Histogram of the concentration of ${element}`,
    data: shares.map(({ label, at, share }) => ({
      type: "scatter",
      mode: "lines",
      name: label,
      x: at,
      y: share,
      line: { shape: "hvh" },
    })),
    layout: {
      height: 280,
      xaxis: { title: { text: `concentration of ${element}` } },
      yaxis: { title: { text: "% of the voxels" }, type: "log" },
    },
  }));
}
