// What is drawn of the chosen cell? Its landscape, the search, terms of the cost, concentrations.
"use strict";

/** Trials over the one or two parameters that matter, on the surface that a Gaussian process expects. */
function drawLandscape() {
  const method = $("cell-method").value;
  if (!method) return draw($("landscape"), (colors) => nothing("no trial was made", colors));
  const numbers = trialsOf(method);
  const fit = page.landscapes[keysOf(method)[0]];
  const varied = fit ? fit.axes : variedParameters(numbers);
  const ok = numbers.filter((number) => ofTrial("status", number) === "ok" && ofTrial("fidelity", number) === 1);
  const rest = numbers.filter((number) => !ok.includes(number));
  const least = ok.reduce(
    (low, number) => (low === null || ofTrial("error", number) < ofTrial("error", low) ? number : low),
    null,
  );
  draw($("landscape"), (colors) => {
    const [first, second] = varied;
    if (!first) return nothing(ok.length ? "this method searches nothing" : "no trial has a result", colors);
    const x = (list) => list.map((number) => ofTrial(first.name, number));
    const y = (list) => list.map((number) => ofTrial(second ? second.name : "error", number));
    const hover = (list) => ({ hovertext: list.map(trialText), hovertemplate: "%{hovertext}<extra></extra>" });
    const dots = (list, name, marker) => ({
      type: "scatter",
      mode: "markers",
      name,
      x: x(list),
      y: y(list),
      marker,
      ...hover(list),
    });
    const over = (axis, n) => [...(fit ? fit.grid[n] : []), ...numbers.map((number) => ofTrial(axis.name, number))];
    const errors = ok.map((number) => ofTrial("error", number));
    const [low, high] = [Math.min(...errors), Math.max(...errors)];
    const shade = { colorscale: "Viridis", cmin: low, cmax: high > low ? high : low + 0.1 };
    const bar = { thickness: 12, outlinewidth: 0, title: { text: plain(page.minimised), side: "right" } };
    const data = fit ? surfaceOf(fit, shade, bar, method) : [];
    const color = second
      ? { ...shade, color: errors, ...(fit ? {} : { colorbar: bar }) }
      : { color: methodNamed(method).color };
    data.push(dots(ok, "trial", { size: 9, line: { color: colors.ink, width: 1.2 }, ...color }));
    if (rest.length)
      data.push(dots(second ? rest : [], "failed or partial", { symbol: "x", size: 8, color: colors.faint }));
    if (least !== null)
      data.push(
        dots([least], "lowest", { symbol: "star", size: 16, color: "#d55e00", line: { color: "#fff", width: 1 } }),
      );
    const said = `Landscape of ${methodNamed(method).label} over ${varied.map((one) => one.label).join(" and ")}: ${ok.length} trials, lowest ${page.minimised} ${fixed(low)}`;
    return {
      data,
      said,
      layout: {
        height: 330,
        showlegend: true,
        margin: { l: 62, r: second ? 86 : 14, t: 54, b: 46, autoexpand: false },
        xaxis: axisOver(over(first, 0), first.scale, first.label),
        yaxis: second
          ? axisOver(over(second, 1), second.scale, second.label)
          : { title: { text: plain(page.minimised) } },
      },
    };
  });
}

/** What a Gaussian process expects between the trials: contours, or a line with its deviation. */
function surfaceOf(fit, shade, colorbar, method) {
  const [x, y] = fit.grid;
  if (y) {
    const contours = {
      coloring: "fill",
      showlines: false,
      start: shade.cmin,
      end: shade.cmax,
      size: (shade.cmax - shade.cmin) / 24,
    };
    return [
      {
        type: "contour",
        x,
        y,
        z: fit.surface,
        colorscale: shade.colorscale,
        zmin: shade.cmin,
        zmax: shade.cmax,
        contours,
        autocontour: false,
        colorbar,
        hoverinfo: "skip",
        showlegend: false,
      },
    ];
  }
  const color = methodNamed(method).color;
  const band = [
    ...fit.surface.map((value, n) => value + fit.deviation[n]),
    ...fit.surface.map((value, n) => value - fit.deviation[n]).reverse(),
  ];
  return [
    {
      type: "scatter",
      mode: "lines",
      x: [...x, ...[...x].reverse()],
      y: band,
      fill: "toself",
      fillcolor: `${color}33`,
      line: { width: 0 },
      hoverinfo: "skip",
      showlegend: false,
    },
    { type: "scatter", mode: "lines", x, y: fit.surface, line: { color }, hoverinfo: "skip", name: "expected" },
  ];
}

/** Without a fit: the first two parameters that are not the same in all trials. */
function variedParameters(numbers) {
  const names = Object.keys(page.parameters).filter(
    (name) => new Set(numbers.map((number) => ofTrial(name, number))).size > 1,
  );
  return names
    .slice(0, 2)
    .map((name) => ({ name, label: page.parameters[name], scale: name === "gamma" ? "linear" : "log" }));
}

/** An empty figure that says why. */
function nothing(words, colors) {
  const note = {
    text: words,
    showarrow: false,
    x: 0.5,
    y: 0.5,
    xref: "paper",
    yref: "paper",
    font: { color: colors.faint, size: 14 },
  };
  return {
    said: words,
    data: [],
    layout: { height: 330, annotations: [note], xaxis: { visible: false }, yaxis: { visible: false } },
  };
}

/** The steps of the lowest error, a line for each repeat: null divides them. */
function lowestSoFar(numbers) {
  const [x, y] = [[], []];
  for (const key of new Set(numbers.map((number) => ofTrial("condition", number)))) {
    let low = Infinity;
    for (const number of numbers.filter((one) => ofTrial("condition", one) === key)) {
      low = Math.min(low, ofTrial("error", number));
      x.push(ofTrial("trial", number));
      y.push(low);
    }
    x.push(null);
    y.push(null);
  }
  return { x, y };
}

/** The error of every trial of every method, and the lowest so far. */
function drawSearch() {
  draw($("search"), (colors) => {
    const data = page.methods.flatMap((method) => {
      const numbers = trialsOf(method.name).filter(
        (number) => ofTrial("status", number) === "ok" && ofTrial("fidelity", number) === 1,
      );
      const [x, y] = ["trial", "error"].map((name) => numbers.map((number) => ofTrial(name, number)));
      const lowest = lowestSoFar(numbers);
      const look = {
        name: method.label,
        legendgroup: method.name,
        marker: { color: method.color, size: 7 },
        line: { color: method.color, shape: "hv" },
      };
      return numbers.length
        ? [
            {
              ...look,
              type: "scatter",
              mode: "markers",
              x,
              y,
              hovertext: numbers.map(trialText),
              hovertemplate: "%{hovertext}<extra></extra>",
            },
            { ...look, type: "scatter", mode: "lines", ...lowest, showlegend: false, hoverinfo: "skip" },
          ]
        : [];
    });
    if (!data.length) return nothing("no trial has a result", colors);
    return {
      data,
      said: `${page.minimised} of every trial, and the lowest so far`,
      layout: { height: 330, xaxis: { title: { text: "trial" } }, yaxis: { title: { text: plain(page.minimised) } } },
    };
  });
}

function drawCost() {
  const method = $("cell-method").value;
  const terms = method ? page.costs[keysOf(method)[0]] : null;
  $("cost-part").hidden = !terms;
  if (!terms) return erase($("cost"));
  const dashes = ["solid", "dash", "dashdot", "dot"];
  const words = { haadf: "HAADF", tv: "total variation", total: "sum", nrmse: "NRMSE" };
  const lines = (colors) =>
    Object.entries(terms).map(([name, values], number) => ({
      type: "scatter",
      mode: "lines",
      name: words[name] ?? name,
      y: values,
      hovertemplate: "iteration %{x}: %{y:.4g}",
      line: {
        dash: name === "total" ? "solid" : dashes[(number + 1) % 4],
        ...(name === "total" ? { color: colors.ink, width: 2.5 } : {}),
      },
    }));
  draw($("cost"), (colors) => ({
    data: lines(colors),
    said: `Terms of the cost of ${methodNamed(method).label}: ${Object.keys(terms).join(", ")}`,
    layout: {
      height: 330,
      xaxis: { title: { text: "iteration" } },
      yaxis: axisOver(Object.values(terms).flat(), "log", "term of the cost"),
    },
  }));
}

function drawConcentrations() {
  const known = [...page.methods].reverse().filter((one) => page.concentrations[keysOf(one.name)[0]]);
  $("concentrations-part").hidden = !known.length;
  if (!known.length) return erase($("concentrations"));
  const element = $("concentration-element").value;
  const of = (one) => page.concentrations[keysOf(one.name)[0]][element];
  const shown = known.filter((one) => of(one)?.voxels);
  draw($("concentrations"), (colors) => {
    if (!shown.length) return nothing(`${element} fills no voxel`, colors);
    const data = shown.map((one) => ({
      type: "scatter",
      mode: "lines",
      name: one.label,
      x: of(one).at,
      y: of(one).shares.map((share) => 100 * share),
      line: { color: one.color, shape: "hvh" },
      fill: "tozeroy",
      fillcolor: `${one.color}22`,
      hovertemplate: `mean ${fixed(of(one).mean)} ± ${fixed(of(one).deviation)}; ${percent(of(one).in_vacuum)} of it in the vacuum<extra>${plain(one.label)}</extra>`,
    }));
    const expected = of(shown[0]).expected;
    const line = {
      type: "line",
      x0: expected,
      x1: expected,
      y0: 0,
      y1: 1,
      yref: "paper",
      line: { color: colors.ink, dash: "dash", width: 1 },
    };
    return {
      data,
      said: `Histograms of the concentration of ${element}, where the truth has ${fixed(expected)}: ${shown.map((one) => `${one.label} ${fixed(of(one).mean)}`).join(", ")}`,
      layout: {
        height: 330,
        shapes: [line],
        xaxis: { title: { text: `concentration of ${element} (dashed: truth)` } },
        yaxis: { title: { text: "% of the voxels" } },
      },
    };
  });
}
