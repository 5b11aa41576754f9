// What do volumes look like in three dimensions? A canvas a volume, one camera for all; WebGL 2 draws the meshes.
"use strict";

const MOST_VOXELS = 64; // along an edge, before a volume is halved
const FAINT = 0.25; // opacity of the element that fills most: others lie inside it

const VERTEX = `#version 300 es
in vec3 point; in vec3 normal; out float light;
uniform mat3 turn; uniform vec3 centre; uniform float scale; uniform bool even;
void main() {
  vec3 seen = turn * (point - centre) * scale;
  gl_Position = vec4(seen.xy, -0.4 * seen.z, 1.0);
  vec3 facing = turn * normal;
  light = even ? 1.0 : 0.3 + 0.7 * abs(dot(facing / max(length(facing), 1e-9), normalize(vec3(-0.3, 0.45, 0.85))));
}`;
const FRAGMENT = `#version 300 es
precision mediump float; in float light; out vec4 shown; uniform vec4 color;
void main() { shown = vec4(color.rgb * light, 1.0) * color.a; }`;

/** One canvas: its meshes { points, normals, triangles, color, opacity }, in voxels of a box (z, y, x). */
class Solid {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = (this.gl = canvas.getContext("webgl2", { alpha: true, antialias: true, premultipliedAlpha: true }));
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = Object.fromEntries(
      ["turn", "centre", "scale", "even", "color"].map((name) => [name, gl.getUniformLocation(program, name)]),
    );
    this.inputs = ["point", "normal"].map((name) => gl.getAttribLocation(program, name));
    this.parts = [];
  }

  /** Take the place of what was shown. */
  load(meshes, shape) {
    for (const part of this.parts) part.free();
    this.shape = shape;
    this.parts = [this.upload(boxOf(shape)), ...meshes.map((mesh) => this.upload(mesh))];
  }

  upload({ points, normals, triangles, ...look }) {
    const { gl } = this;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = [points, normals].map((values, number) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.STATIC_DRAW);
      gl.enableVertexAttribArray(this.inputs[number]);
      gl.vertexAttribPointer(this.inputs[number], 3, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, corners);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint32Array(triangles), gl.STATIC_DRAW);
    const free = () => [...buffers, corners].forEach((buffer) => gl.deleteBuffer(buffer));
    return { array, count: triangles.length, free, ...look };
  }

  draw(camera, lines) {
    const { gl, canvas, at } = this;
    const edge = Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio));
    if (canvas.width !== edge) canvas.width = canvas.height = edge;
    gl.viewport(0, 0, edge, edge);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.uniformMatrix3fv(at.turn, false, camera.matrix());
    gl.uniform3fv(
      at.centre,
      [...this.shape].reverse().map((n) => n / 2 - 0.5),
    );
    gl.uniform1f(at.scale, (1.35 * camera.zoom) / Math.hypot(...this.shape.map((n) => n / Math.SQRT2)) / 1.05);
    for (const part of [...this.parts].sort((one, other) => other.opacity - one.opacity)) this.drawPart(part, lines);
  }

  drawPart(part, lines) {
    const { gl, at } = this;
    const faint = part.opacity < 1;
    gl[faint ? "enable" : "disable"](gl.BLEND);
    gl.depthMask(!faint);
    gl.uniform1i(at.even, part.lines ? 1 : 0);
    gl.uniform4fv(at.color, [...rgbOf(part.lines ? lines : part.color), part.opacity]);
    gl.bindVertexArray(part.array);
    gl.drawElements(part.lines ? gl.LINES : gl.TRIANGLES, part.count, gl.UNSIGNED_INT, 0);
  }
}

/** The edges of a volume (z, y, x). */
function boxOf([z, y, x]) {
  const corner = (c) => [c & 1 ? x - 0.5 : -0.5, c & 2 ? y - 0.5 : -0.5, c & 4 ? z - 0.5 : -0.5];
  const points = [0, 1, 2, 3, 4, 5, 6, 7].flatMap(corner);
  const triangles = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((c) =>
    [1, 2, 4].filter((bit) => !(c & bit)).flatMap((bit) => [c, c | bit]),
  );
  return { points, normals: new Float32Array(24), triangles, lines: true, opacity: 1 };
}

/** Where all canvases are seen from: z, the beam at 0 degrees, points up (as in workflows/figures/rendering.py). */
class Camera {
  constructor() {
    Object.assign(this, { around: Math.atan2(-1.6, -1), above: Math.atan2(0.9, Math.hypot(1, 1.6)), zoom: 1 });
  }

  turn(around, above) {
    this.around += around;
    this.above = Math.max(-1.5, Math.min(1.5, this.above + above));
  }

  /** Rows are right, up and towards the viewer; WebGL takes it column by column. */
  matrix() {
    const [sa, ca, se, ce] = [Math.sin(this.around), Math.cos(this.around), Math.sin(this.above), Math.cos(this.above)];
    return [-sa, -se * ca, ce * ca, ca, -se * sa, ce * sa, 0, ce, se];
  }
}

class SolidView {
  constructor(find) {
    Object.assign(this, {
      plot: find("solid"),
      shown: find("shown"),
      level: find("level"),
      levelText: find("level-text"),
      note: find("solid-note"),
    });
    Object.assign(this, { camera: new Camera(), solids: [], visible: false });
    this.level.addEventListener("input", () => {
      this.tell();
      this.remake();
    });
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible && this.waiting) this.remake();
    }).observe(this.plot);
    addEventListener("resize", () => this.redraw());
  }

  show(rows, elements) {
    [this.rows, this.thin] = [rows, new Map()];
    const had = new Set(
      [...this.shown.querySelectorAll("input")].filter((box) => !box.checked).map((box) => box.value),
    );
    const boxes = elements.map((element) => {
      const box = make("input", { type: "checkbox", checked: !had.has(element), value: element });
      box.addEventListener("change", () => this.remake());
      return make(
        "label",
        {},
        box,
        make("span", { className: "swatch", style: `background:${page.elements[element]}` }),
        element,
      );
    });
    this.shown.replaceChildren(...boxes);
    this.tell();
    this.remake();
  }

  tell() {
    this.levelText.textContent = `level ${this.level.value} %`;
    this.level.setAttribute(
      "aria-label",
      `level of the surfaces, % of the highest concentration of ${this.rows[0].label}`,
    );
  }

  /** Meshes anew, once they are in view. */
  remake() {
    this.waiting = !this.visible;
    if (this.waiting) return;
    const can = Boolean(document.createElement("canvas").getContext("webgl2"));
    const alike =
      this.rows.length > 1
        ? `A surface encloses as many voxels as that of ${this.rows[0].label}, so that a wrong gain does not change its shape. `
        : "";
    this.note.textContent = can
      ? `${alike}z, the beam at 0°, points up. Drag, or arrow keys, turn all; + and − change their size.`
      : "This browser has no WebGL, which surfaces need; the slices above show the same volumes.";
    if (!can) return;
    this.lay();
    const found = this.chosen().map((element) => [element, this.levels(element)]);
    const fullest = found.reduce((most, one) => (most && most[1][0].n >= one[1][0].n ? most : one), null)?.[0];
    this.solids.forEach((solid, row) => {
      const meshes = found.map(([element, levels]) =>
        meshOf(levels[row], page.elements[element], found.length > 1 && element === fullest),
      );
      solid.load(
        meshes.filter((mesh) => mesh.triangles.length),
        this.rows[row].volume.shape,
      );
    });
    this.redraw();
  }

  /** A canvas for every row; those there are stay, for browsers have few contexts. */
  lay() {
    while (this.solids.length > this.rows.length) this.solids.pop().canvas.parentElement.remove();
    while (this.solids.length < this.rows.length) {
      const canvas = make("canvas", { tabIndex: 0 });
      canvas.setAttribute("role", "application");
      this.hear(canvas);
      this.plot.append(make("div", {}, make("span"), canvas));
      this.solids.push(new Solid(canvas));
    }
    this.solids.forEach(({ canvas }, number) => {
      canvas.previousSibling.textContent = this.rows[number].label;
      canvas.setAttribute(
        "aria-label",
        `Isosurfaces of ${this.chosen().join(", ")}: ${this.rows[number].label}. Arrow keys turn them.`,
      );
    });
  }

  hear(canvas) {
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.turn(-event.movementX / 100, event.movementY / 100);
    });
    canvas.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      const zoom = { "+": 1.1, "-": 1 / 1.1 }[event.key];
      if (!turn && !zoom) return;
      event.preventDefault();
      this.camera.zoom *= zoom ?? 1;
      this.turn(...(turn ?? [0, 0]));
    });
  }

  turn(around, above) {
    this.camera.turn(around, above);
    this.redraw();
  }

  redraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      const { faint } = pageColors();
      for (const solid of this.solids) if (solid.shape) solid.draw(this.camera, faint);
    });
  }

  chosen() {
    return [...this.shown.querySelectorAll("input:checked")].map((box) => box.value);
  }

  /** Of an element the level of each row, a byte: it encloses as many voxels as that of the first row. */
  levels(element) {
    if (!this.thin.has(element)) {
      const thin = this.rows.map((row) => thinned(row.volume, element, MOST_VOXELS));
      this.thin.set(
        element,
        thin.map((one) => ({ ...one, counts: countsAbove(one.bytes.map(Math.round)) })),
      );
    }
    const first = Math.max(1, Math.round((brightest(this.rows[0], element) * Number(this.level.value)) / 100));
    return this.thin.get(element).map((one, row, all) => {
      const n = all[0].counts[first];
      return { ...one, n, level: row === 0 ? first : nearestLevel(one.counts, n) };
    });
  }
}

function meshOf({ bytes, shape, step, level, n }, color, faint) {
  const net = n ? surfaceNet(bytes, shape, level) : { points: [], triangles: [] };
  const normals = normalsOf(net);
  const points = net.points.map((value) => (value + 0.5) * step - 0.5);
  return { points, normals, triangles: net.triangles, color, opacity: faint ? FAINT : 1 };
}
