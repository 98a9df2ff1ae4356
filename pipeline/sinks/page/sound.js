const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** The loudness picture as pixels, and a way to paint any stretch of it in the theme's colours. */
class Sound {
  constructor(data) {
    this.data = data;
    this.ready = this.load();
  }

  async load() {
    const image = new Image();
    image.src = this.data.sound.src;
    await image.decode();
    [this.width, this.height] = [image.naturalWidth, image.naturalHeight];
    const canvas = el("canvas", { width: this.width, height: this.height });
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    this.levels = pen.getImageData(0, 0, this.width, this.height).data;
  }

  /** Paints `[from, to)` seconds over a whole canvas. */
  async paint(canvas, from, to) {
    await this.ready;
    const scale = this.width / this.data.duration;
    const first = Math.floor(Math.max(0, from) * scale);
    const count = Math.max(1, Math.min(this.width, Math.ceil(to * scale)) - first);
    [canvas.width, canvas.height] = [count, this.height];
    const image = new ImageData(count, this.height);
    const colours = this.ramp();
    for (let y = 0; y < this.height; y++)
      for (let x = 0; x < count; x++) {
        const level = this.levels[(y * this.width + first + x) * 4];
        image.data.set(colours.subarray(level * 4, level * 4 + 4), (y * count + x) * 4);
      }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /** 256 colours from nothing to loud; even steps of lightness on paper and on black. */
  ramp() {
    const stops = isDark()
      ? [[21, 24, 28], [38, 54, 104], [86, 112, 196], [170, 196, 250], [248, 250, 255]]
      : [[243, 242, 238], [196, 205, 228], [116, 140, 204], [45, 66, 148], [14, 18, 60]];
    const out = new Uint8ClampedArray(1024);
    for (let level = 0; level < 256; level++) {
      const place = (level / 255) * (stops.length - 1);
      const low = Math.min(stops.length - 2, Math.floor(place));
      const mix = stops[low].map((c, n) => c + (stops[low + 1][n] - c) * (place - low));
      out.set([...mix, 255], level * 4);
    }
    return out;
  }
}
