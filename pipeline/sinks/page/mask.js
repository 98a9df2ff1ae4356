/** The run lengths of COCO's compressed counts: 5 bits a character, deltas from the third on. */
function runsOf(text) {
  const runs = [];
  for (let at = 0; at < text.length; ) {
    let value = 0, shift = 0, piece;
    do {
      piece = text.charCodeAt(at++) - 48;
      value |= (piece & 31) << shift;
      shift += 5;
    } while (piece & 32);
    if (piece & 16) value |= -1 << shift;
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

/** A mask cut to its extent: {left, top, width, height, on: Uint8Array, area}, or null if empty. */
function maskOf([height, , text]) {
  const spans = [];
  let [at, left, right, top, bottom, area] = [0, Infinity, -1, Infinity, -1, 0];
  runsOf(text).forEach((run, number) => {
    for (let rest = number % 2 ? run : 0; rest > 0; ) {
      const start = at + run - rest;
      const column = Math.floor(start / height), row = start % height;
      const length = Math.min(rest, height - row);
      spans.push([column, row, length]);
      [left, right] = [Math.min(left, column), Math.max(right, column)];
      [top, bottom] = [Math.min(top, row), Math.max(bottom, row + length)];
      area += length;
      rest -= length;
    }
    at += run;
  });
  if (!area) return null;
  const [width, tall] = [right - left + 1, bottom - top];
  const on = new Uint8Array(width * tall);
  for (const [column, row, length] of spans)
    for (let y = row - top; y < row - top + length; y++) on[y * width + column - left] = 1;
  return { left, top, width, height: tall, on, area };
}

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** The mask as a canvas: translucent inside, solid along its edge of `edge` pixels. */
function tinted(mask, colour, fill, edge) {
  const { width, height, on } = mask;
  const canvas = el("canvas", { width, height });
  const image = new ImageData(width, height);
  const [red, green, blue] = channels(colour);
  const off = (x, y) => x < 0 || y < 0 || x >= width || y >= height || !on[y * width + x];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (!on[y * width + x]) continue;
      const rim = off(x - edge, y) || off(x + edge, y) || off(x, y - edge) || off(x, y + edge);
      image.data.set([red, green, blue, rim ? 255 : fill * 255], (y * width + x) * 4);
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
