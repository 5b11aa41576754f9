// Where is the surface of a level in a volume? Surface nets (Gibson 1998): few triangles, and smooth ones.
"use strict";

/** The number of volume bytes at least `level`, by level: entry 0 counts all. */
function countsAbove(bytes) {
  const counts = new Float64Array(257);
  for (const byte of bytes) counts[byte]++;
  for (let level = 255; level >= 0; level--) counts[level] += counts[level + 1];
  return counts;
}

/**
 * The surface of what is at least `level` in bytes (z, y, x), closed where the volume ends.
 * Every cell of eight voxels that the surface crosses has one vertex, the mean of its crossings of the cell's edges;
 * every edge between a voxel inside and one outside has a face of the four cells around it.
 * Returns { points, triangles }: x, y, z of every vertex in voxels, three vertices of every triangle.
 */
function surfaceNet(bytes, [nz, ny, nx], level) {
  const [wide, high] = [nx + 2, ny + 2];
  const steps = [wide * high, wide, 1]; // of z, y, x, in the volume with a margin of zeros
  const field = new Float32Array((nz + 2) * wide * high).fill(-level);
  for (let z = 0; z < nz; z++)
    for (let y = 0; y < ny; y++)
      for (let x = 0; x < nx; x++)
        field[(z + 1) * steps[0] + (y + 1) * steps[1] + x + 1] = bytes[(z * ny + y) * nx + x] - level + 0.5;
  const vertex = new Int32Array(field.length).fill(-1);
  const net = { points: [], triangles: [] };
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((c) => (c >> 2) * steps[0] + ((c >> 1) & 1) * steps[1] + (c & 1));
  for (let z = 0; z <= nz; z++)
    for (let y = 0; y <= ny; y++)
      for (let x = 0; x <= nx; x++) {
        const at = z * steps[0] + y * steps[1] + x;
        let inside = 0;
        for (const corner of corners) inside += field[at + corner] > 0 ? 1 : 0;
        if (inside === 0 || inside === 8) continue;
        vertex[at] = net.points.length / 3;
        addVertex(net, field, at, corners, [z, y, x]);
        addFaces(net, field, vertex, at, steps, [z, y, x]);
      }
  return net;
}

/** The mean of where the surface crosses the twelve edges of a cell. */
function addVertex(net, field, at, corners, [z, y, x]) {
  const sum = [0, 0, 0];
  let crossings = 0;
  for (let a = 0; a < 8; a++)
    for (const bit of [1, 2, 4]) {
      if (a & bit) continue;
      const [first, second] = [field[at + corners[a]], field[at + corners[a | bit]]];
      if (first > 0 === second > 0) continue;
      const part = first / (first - second);
      [4, 2, 1].forEach((one, axis) => {
        sum[axis] += (a & one ? 1 : 0) + (bit === one ? part : 0);
      });
      crossings++;
    }
  net.points.push(x + sum[2] / crossings - 1, y + sum[1] / crossings - 1, z + sum[0] / crossings - 1);
}

/** The faces across the three edges that leave the first corner of a cell; the cells before it are done. */
function addFaces(net, field, vertex, at, steps, place) {
  for (let axis = 0; axis < 3; axis++) {
    const [one, two] = [(axis + 1) % 3, (axis + 2) % 3];
    if (!place[one] || !place[two]) continue;
    const [here, there] = [field[at] > 0, field[at + steps[axis]] > 0];
    if (here === there) continue;
    const [a, b, c, d] = [at, at - steps[one], at - steps[one] - steps[two], at - steps[two]].map(
      (cell) => vertex[cell],
    );
    const [second, fourth] = here ? [d, b] : [b, d]; // all faces look outwards
    net.triangles.push(a, second, c, a, c, fourth);
  }
}

/** Half as many voxels along every edge, by averaging, until none has more than `most`. */
function thinned(volume, element, most) {
  let [nz, ny, nx] = volume.shape;
  const whole = nz * ny * nx;
  let bytes = volume.bytes.subarray(
    volume.elements.indexOf(element) * whole,
    (volume.elements.indexOf(element) + 1) * whole,
  );
  let step = 1;
  while (Math.max(nz, ny, nx) > most && Math.min(nz, ny, nx) > 3) {
    [bytes, nz, ny, nx] = halved(bytes, nz, ny, nx);
    step *= 2;
  }
  return { bytes, shape: [nz, ny, nx], step };
}

function halved(bytes, nz, ny, nx) {
  const [hz, hy, hx] = [nz >> 1, ny >> 1, nx >> 1];
  const half = new Float32Array(hz * hy * hx);
  for (let z = 0; z < 2 * hz; z++)
    for (let y = 0; y < 2 * hy; y++)
      for (let x = 0; x < 2 * hx; x++)
        half[((z >> 1) * hy + (y >> 1)) * hx + (x >> 1)] += bytes[(z * ny + y) * nx + x] / 8;
  return [half, hz, hy, hx];
}

/** The mean direction of the faces around every vertex, x, y, z of each; not of length 1. */
function normalsOf({ points, triangles }) {
  const normals = new Float32Array(points.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const [ux, uy, uz] = [points[b] - points[a], points[b + 1] - points[a + 1], points[b + 2] - points[a + 2]];
    const [vx, vy, vz] = [points[c] - points[a], points[c + 1] - points[a + 1], points[c + 2] - points[a + 2]];
    const face = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) for (let n = 0; n < 3; n++) normals[corner + n] += face[n];
  }
  return normals;
}

/** The byte at or above which there are most nearly n voxels. */
function nearestLevel(counts, n) {
  let best = 1;
  for (let level = 1; level < 256; level++) if (Math.abs(counts[level] - n) < Math.abs(counts[best] - n)) best = level;
  return best;
}
