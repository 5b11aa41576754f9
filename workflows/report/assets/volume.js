// How does a packed volume become slices on a canvas? Bytes (element, z, y, x), inflated when they are first needed.
"use strict";

const unpacked = new Map();

/** A volume by its key: what the page has of it, and its bytes. */
async function unpack(key) {
  if (!unpacked.has(key))
    unpacked.set(
      key,
      inflate(page.volumes[key].data).then((bytes) => ({ ...page.volumes[key], bytes })),
    );
  return unpacked.get(key);
}

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Of a plane: the axes (of z, y, x) down and across the picture, and the one along which the slider goes. */
const PLANES = { zy: [0, 1, 2], yx: [1, 2, 0], zx: [0, 2, 1] };
const NAMES = ["z", "y", "x"];

/** One slice of an element, row by row from the top; the first axis of the plane points up. */
function sliceOf(volume, element, plane, index) {
  const [z, y, x] = volume.shape;
  const steps = [y * x, x, 1];
  const [down, across, along] = PLANES[plane];
  const [rows, columns] = [volume.shape[down], volume.shape[across]];
  const start = volume.elements.indexOf(element) * z * y * x + index * steps[along];
  const slice = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = start + (rows - 1 - row) * steps[down];
    for (let column = 0; column < columns; column++)
      slice[row * columns + column] = volume.bytes[from + column * steps[across]];
  }
  return { rows, columns, slice };
}

const concentration = (volume, element, byte) => (byte / 255) * volume.peaks[volume.elements.indexOf(element)];

const toLinear = (encoded) => (encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4);
const toEncoded = (linear) => (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055);
const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);

/** A canvas filled by pixel(n) => [red, green, blue], 0 to 255. */
function paint(canvas, rows, columns, pixel) {
  [canvas.width, canvas.height] = [columns, rows];
  const image = new ImageData(columns, rows);
  for (let n = 0; n < rows * columns; n++) image.data.set([...pixel(n), 255], 4 * n);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
}

/** An element in its colour: black is none, brightest is `limit`. */
function paintElement(canvas, volume, element, plane, index, limit) {
  const { rows, columns, slice } = sliceOf(volume, element, plane, index);
  const color = rgbOf(page.elements[element]);
  const shades = Array.from({ length: 256 }, (_, byte) => {
    const bright = Math.min(1, concentration(volume, element, byte) / limit);
    return color.map((part) => 255 * part * bright);
  });
  paint(canvas, rows, columns, (n) => shades[slice[n]]);
}

/** All elements: hue is the mean of their colours in linear light, brightness that of the brightest (fusedtomo/plot/elements.py). */
function paintMixture(canvas, volume, plane, index, limits) {
  const slices = volume.elements.map((element) => sliceOf(volume, element, plane, index));
  const linear = volume.elements.map((element) => rgbOf(page.elements[element]).map(toLinear));
  const bright = (e, n) =>
    Math.min(1, concentration(volume, volume.elements[e], slices[e].slice[n]) / limits[volume.elements[e]]);
  const { rows, columns } = slices[0];
  paint(canvas, rows, columns, (n) => {
    const weights = slices.map((_, e) => bright(e, n));
    const total = weights.reduce((sum, one) => sum + one, 0);
    if (!total) return [0, 0, 0];
    const most = Math.max(...weights);
    return [0, 1, 2].map(
      (part) => 255 * most * toEncoded(weights.reduce((sum, w, e) => sum + w * linear[e][part], 0) / total),
    );
  });
}

/** The byte that is drawn brightest: a truth's highest; else single bright voxels are left out, those of the top 2 %. */
function brightest(row, element) {
  if (row.exact) return 255;
  const { bytes, shape, elements } = row.volume;
  const voxels = shape[0] * shape[1] * shape[2];
  const counts = countsAbove(
    bytes.subarray(elements.indexOf(element) * voxels, (elements.indexOf(element) + 1) * voxels),
  );
  let byte = 255;
  while (byte > 1 && counts[byte] < 0.02 * counts[25]) byte--;
  return byte;
}

/**
 * Slices and isosurfaces of some volumes of one grid: rows { label, note, key, exact }, the first of which sets the
 * scale; exact says that it is a truth.
 */
class VolumeViewer {
  constructor(target) {
    target.append($("volumes-template").content.cloneNode(true));
    const find = (name) => target.querySelector(`.${name}`);
    Object.assign(this, {
      table: find("slices"),
      plane: find("plane"),
      slider: find("slice"),
      place: find("place"),
      readout: find("readout"),
    });
    this.solid = new SolidView(find);
    this.plane.addEventListener("change", () => this.turn());
    this.slider.addEventListener("input", () => this.repaint());
  }

  async show(rows) {
    const asked = (this.asked = rows);
    const volumes = await Promise.all(rows.map((row) => unpack(row.key)));
    if (asked !== this.asked) return; // another cell was chosen meanwhile
    this.rows = rows.map((row, number) => ({ ...row, volume: volumes[number] }));
    this.elements = volumes[0].elements;
    const full = this.elements.map((element) => brightest(this.rows[0], element));
    this.limits = Object.fromEntries(
      this.elements.map((element, e) => [element, concentration(volumes[0], element, full[e]) || 1]),
    );
    this.lay();
    this.turn();
    this.solid.show(this.rows, this.elements);
  }

  /** A row for every volume, a column for every element and one for all. */
  lay() {
    const columns = [...this.elements, null];
    const head = columns.map((element) =>
      make(
        "th",
        { scope: "col" },
        ...(element
          ? [make("span", { className: "swatch", style: `background:${page.elements[element]}` }), element]
          : ["all"]),
      ),
    );
    const body = this.rows.map((row) => {
      row.canvases = columns.map((element) => this.canvas(row, element));
      return make(
        "tr",
        {},
        make("th", { scope: "row" }, row.label, make("br"), row.note),
        ...row.canvases.map((one) => make("td", {}, one)),
      );
    });
    this.table.replaceChildren(make("thead", {}, make("tr", {}, make("td"), ...head)), make("tbody", {}, ...body));
  }

  canvas(row, element) {
    const canvas = make("canvas", { element });
    canvas.setAttribute("role", "img");
    canvas.addEventListener("pointermove", (event) => this.read(event, row, element));
    return canvas;
  }

  /** Another plane: its slider begins at the slice with most in it. */
  turn() {
    const along = PLANES[this.plane.value][2];
    this.slider.max = this.rows[0].volume.shape[along] - 1;
    this.slider.value = this.fullest(along);
    this.repaint();
  }

  fullest(along) {
    const { shape, bytes } = this.rows[0].volume;
    const steps = [shape[1] * shape[2], shape[2], 1];
    const sums = new Float64Array(shape[along]);
    for (let n = 0; n < bytes.length; n++) sums[Math.floor(n / steps[along]) % shape[along]] += bytes[n];
    const most = 0.999 * Math.max(...sums);
    const middle = (sums.length - 1) / 2;
    const full = [...sums.keys()].filter((n) => sums[n] >= most);
    return full.reduce((near, n) => (Math.abs(n - middle) < Math.abs(near - middle) ? n : near));
  }

  repaint() {
    const [plane, index] = [this.plane.value, Number(this.slider.value)];
    const along = PLANES[plane][2];
    const { shape, voxel_nm: nm } = this.rows[0].volume;
    this.place.textContent = `${NAMES[along]} = ${index} of ${shape[along]}, ${short((index + 0.5) * nm)} nm`;
    this.slider.setAttribute("aria-label", `slice along ${NAMES[along]}`);
    this.slider.setAttribute("aria-valuetext", this.place.textContent);
    for (const row of this.rows)
      for (const canvas of row.canvases) {
        if (canvas.element) paintElement(canvas, row.volume, canvas.element, plane, index, this.limits[canvas.element]);
        else paintMixture(canvas, row.volume, plane, index, this.limits);
        canvas.setAttribute(
          "aria-label",
          `${row.label}, ${canvas.element ?? "all elements"}, ${this.place.textContent}`,
        );
      }
  }

  /** What every volume has under the pointer. */
  read(event, row, element) {
    const [down, across, along] = PLANES[this.plane.value];
    const { shape } = row.volume;
    const box = event.target.getBoundingClientRect();
    const place = [0, 0, 0];
    place[across] = Math.min(
      shape[across] - 1,
      Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * shape[across])),
    );
    place[down] =
      shape[down] -
      1 -
      Math.min(shape[down] - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * shape[down])));
    place[along] = Number(this.slider.value);
    const told = (one, symbol) =>
      concentration(one.volume, symbol, one.volume.bytes[voxelNumber(one.volume, symbol, place)]).toFixed(2);
    const values = element
      ? `${element}: ${this.rows.map((one) => `${one.label} ${told(one, element)}`).join(", ")}`
      : `${row.label}: ${this.elements.map((symbol) => `${symbol} ${told(row, symbol)}`).join(", ")}`;
    this.readout.textContent = `voxel z ${place[0]}, y ${place[1]}, x ${place[2]}. Concentration of ${values}`;
  }
}

function voxelNumber(volume, element, [z, y, x]) {
  const [, height, width] = volume.shape;
  return ((volume.elements.indexOf(element) * volume.shape[0] + z) * height + y) * width + x;
}
