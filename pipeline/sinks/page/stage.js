/** Draws the frame of a moment with its masks, and tells what is known of the chosen event. */
class Stage {
  constructor(data, choose) {
    this.data = data;
    this.choose = choose;
    this.canvas = byId("picture");
    this.drawn = -1;
    this.images = new Map();
    this.masks = new Map();
    if (!data.pictures.length) byId("stage").classList.add("silent");
    this.canvas.addEventListener("click", (event) => this.pick(event));
  }

  /** The number of the kept picture nearest to a time, or of a track's nearest; -1 if none. */
  nearest(time, track = null) {
    let [best, away] = [-1, Infinity];
    this.data.pictures.forEach((picture, number) => {
      if (track !== null && !picture.masks.some((mask) => mask.track === track)) return;
      const distance = Math.abs(picture.t - time);
      if (distance < away - 1e-9) [best, away] = [number, distance];
    });
    return best;
  }

  /** Shows a picture; `chosen` is the number of a track to bring out, or null. */
  async show(number, chosen, note = "") {
    this.number = number;
    this.chosen = chosen;
    const picture = this.data.pictures[number];
    if (!picture) return;
    const image = await this.imageOf(number);
    if (this.number !== number || this.chosen !== chosen) return;
    const [width, height] = picture.size;
    this.canvas.width = width;
    this.canvas.height = height;
    const pen = this.canvas.getContext("2d");
    pen.drawImage(image, 0, 0, width, height);
    const order = [...picture.masks].sort((a, b) => (a.track === chosen) - (b.track === chosen));
    for (const mask of order) this.drawMask(pen, mask, chosen, width / this.data.video[0]);
    byId("caption").replaceChildren(
      el("span", {}, note || `${plural(picture.masks.length, "instance")} in this frame`),
      el("span", { class: "mono" }, `${clock(picture.t)}  =  ${picture.time} s`),
    );
    this.canvas.setAttribute("aria-label", `The frame at ${picture.time} seconds`);
    this.canvas.dataset.time = picture.time;
    this.canvas.dataset.chosen = chosen ?? "";
  }

  /** Without pictures: the sound around a time, and what was heard in it. */
  async showSound(sound, time) {
    if (!sound) return;
    const from = Math.max(0, Math.min(time - 4, this.data.duration - 8));
    const to = Math.min(this.data.duration, from + 8);
    await sound.paint(this.canvas, from, to);
    const pen = this.canvas.getContext("2d");
    const x = (at) => ((at - from) / (to - from)) * this.canvas.width;
    for (const row of this.data.spans) {
      pen.fillStyle = colourOf(this.data, row).fill;
      pen.fillRect(x(row.a), this.canvas.height - 4, x(row.b) - x(row.a), 4);
    }
    byId("caption").replaceChildren(
      el("span", {}, "The sound around this time"),
      el("span", { class: "mono" }, `${clock(from)} to ${clock(to)}`),
    );
  }

  drawMask(pen, mask, chosen, scale) {
    const track = this.data.tracks[mask.track];
    const colour = colourOf(this.data, track).fill;
    const [bright, faded] = [mask.track === chosen, chosen !== null && mask.track !== chosen];
    pen.globalAlpha = faded ? 0.45 : 1;
    const shape = this.shapeOf(mask);
    if (shape) {
      const layer = tinted(shape, colour, bright ? 0.5 : 0.36, bright ? 3 : 1);
      pen.drawImage(layer, shape.left * scale, shape.top * scale, shape.width * scale, shape.height * scale);
    }
    const [x1, y1, x2, y2] = mask.box.map((edge) => edge * scale);
    pen.strokeStyle = colour;
    pen.lineWidth = bright ? 2 : 1;
    pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    if (!faded) this.drawName(pen, mask, track, x1, y1);
    pen.globalAlpha = 1;
  }

  drawName(pen, mask, track, x, y) {
    const { fill, ink } = colourOf(this.data, track);
    const text = `${nameOf(track)}  ${mask.score.toFixed(2)}`;
    pen.font = "600 11px Inter, system-ui, sans-serif";
    const width = pen.measureText(text).width + 8;
    const left = Math.max(0, Math.min(x, this.canvas.width - width));
    const top = y >= 16 ? y - 16 : y;
    pen.fillStyle = fill;
    pen.fillRect(left, top, width, 16);
    pen.fillStyle = ink;
    pen.fillText(text, left + 4, top + 12);
  }

  /** The smallest thing under the pointer becomes the chosen one. */
  pick(event) {
    const picture = this.data.pictures[this.number];
    if (!picture) return;
    const area = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * this.data.video[0];
    const y = ((event.clientY - area.top) / area.height) * this.data.video[1];
    const size = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
    const hit = picture.masks
      .filter(({ box: [x1, y1, x2, y2] }) => x >= x1 && x < x2 && y >= y1 && y < y2)
      .sort((a, b) => size(a) - size(b))[0];
    this.choose(hit ? { kind: "track", number: hit.track } : null, picture.t);
  }

  imageOf(number) {
    if (!this.images.has(number)) {
      const image = new Image();
      image.src = this.data.pictures[number].src;
      this.images.set(number, image.decode().then(() => image));
    }
    return this.images.get(number);
  }

  shapeOf(mask) {
    if (!this.masks.has(mask)) this.masks.set(mask, maskOf(mask.rle));
    return this.masks.get(mask);
  }
}
