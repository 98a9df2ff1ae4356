const FEW_TRACKS = 24;
const FEW_LABELS = 10;

/** Everything over one shared axis of media time. Positions are parts of the whole, so that a
 * zoom is one change of width. */
class Timeline {
  constructor(data, sound, { choose, look }) {
    Object.assign(this, { data, sound, choose, look, zoom: 1, bars: new Map() });
    this.box = byId("lanes");
    this.scroller = byId("scroller");
    this.cursor = byId("cursor");
    this.axis = el("div", { class: "track" });
    this.box.append(el("div", { class: "lane axis" }, el("div", { class: "name" }), this.axis));
    if (data.pictures.length) this.addStrip();
    if (sound) this.addSound();
    this.addGaps();
    this.addSpanLanes();
    if (data.tracks.length) this.addTracks();
    this.listen();
    this.layOut();
  }

  place(row) {
    const whole = this.data.duration;
    return { "--a": `${(row.a / whole) * 100}%`, "--w": `${((row.b - row.a) / whole) * 100}%` };
  }

  lane(kind, name, track, parent = this.box) {
    const head = el("div", { class: "name head" }, name);
    parent.append(el("div", { class: `lane ${kind}` }, head, track));
    return track;
  }

  dotted(text, fill) {
    return el("div", { class: "name", title: text }, el("i", { class: "dot", "--fill": fill }), text);
  }

  addStrip() {
    this.strip = el("div", { class: "film" });
    this.lane("strip first", "Pictures", el("div", { class: "track" }, this.strip));
  }

  addSound() {
    const canvas = el("canvas", { role: "img", "aria-label": "Spectrogram" });
    const { lowest_hz: low, highest_hz: high } = this.data.sound;
    const name = el("div", { class: "name head" }, "Sound", el("small", {}, `${low} Hz to ${high / 1000} kHz`));
    const track = el("div", { class: "track" }, canvas);
    this.box.append(el("div", { class: "lane sound first" }, name, track));
    for (const row of this.data.spans)
      if (laneMedium(this.data, row.lane) === "audio") track.append(el("i", { class: "tag", ...this.place(row), "--fill": colourOf(this.data, row).fill }));
    const paint = () => this.sound.paint(canvas, 0, this.data.duration);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    paint();
  }

  addGaps() {
    for (const gap of gapsOf(this.data)) {
      const where = gap.medium === "audio" ? ".sound .track" : ".strip .track";
      const title = `no ${gap.medium}: ${clock(gap.a)} to ${clock(gap.b)}`;
      this.box.querySelector(where)?.append(el("i", { class: "gap", title, ...this.place(gap) }));
    }
  }

  addSpanLanes() {
    const lanes = Map.groupBy(this.data.spans.map((row, number) => ({ row, number })), ({ row }) => row.lane);
    if (this.data.truth.length && ![...lanes.keys()].some((lane) => laneMedium(this.data, lane) === "audio")) lanes.set("sound", []);
    const heard = (lane) => laneMedium(this.data, lane) === "audio";
    for (const lane of [...lanes.keys()].sort((a, b) => heard(b) - heard(a) || a.localeCompare(b))) {
      const planted = heard(lane) ? this.data.truth : [];
      const labels = new Set([...lanes.get(lane).map(({ row }) => row.label), ...planted.map((row) => row.label)]);
      if (labels.size <= FEW_LABELS) this.addByLabel(lane, lanes.get(lane), [...labels].sort(), planted);
      else this.addPacked(lane, lanes.get(lane));
    }
  }

  addByLabel(lane, rows, labels, planted) {
    labels.forEach((label, nth) => {
      const fill = this.data.colours[label]?.fill ?? "var(--soft)";
      const name = this.dotted(label, fill);
      const track = el("div", { class: "track", "--tall": "22px" });
      for (const row of planted.filter((one) => one.label === label))
        track.append(el("i", { class: "planted", title: `planted: ${label}, ${clock(row.a)} to ${clock(row.b)}`, ...this.place(row) }));
      for (const { row, number } of rows.filter((one) => one.row.label === label)) track.append(this.bar(row, "span", number, row.score.toFixed(2)));
      this.box.append(el("div", { class: `lane thin ${nth ? "" : "first"}` }, name, track));
    });
  }

  addPacked(lane, rows) {
    packed(rows, ({ row }) => row.a, ({ row }) => row.b).forEach((line, nth) => {
      const track = this.lane(`thin ${nth ? "" : "first"}`, nth ? "" : lane, el("div", { class: "track", "--tall": "20px" }));
      for (const { row, number } of line) track.append(this.bar(row, "span", number, row.label));
    });
  }

  addTracks() {
    this.addCounts();
    const well = el("div", { class: "well" });
    this.box.append(well);
    const all = this.data.tracks.map((row, number) => ({ row, number }));
    if (all.length <= FEW_TRACKS) {
      for (const { row, number } of all) {
        const track = el("div", { class: "track", "--tall": "18px" });
        well.append(el("div", { class: "lane thin" }, this.dotted(nameOf(row), colourOf(this.data, row).fill), track));
        this.fillTrack(track, row, number, "");
      }
      return;
    }
    packed(all, ({ row }) => row.a, ({ row }) => row.b + this.data.duration / 200).forEach((line, nth) => {
      const track = this.lane("dense", nth ? "" : this.tracksNote(), el("div", { class: "track", "--tall": "14px" }), well);
      for (const { row, number } of line) this.fillTrack(track, row, number, String(row.id ?? row.label));
    });
  }

  tracksNote() {
    const [drawn, found] = [this.data.tracks.length, sum(this.data.totals.tracks)];
    return drawn < found ? `${drawn} of ${thousands(found)} tracks` : plural(drawn, "track");
  }

  fillTrack(track, row, number, text) {
    row.parts.forEach(([a, b], nth) => track.append(this.bar({ ...row, a, b }, "track", number, nth ? "" : text)));
  }

  addCounts() {
    const labels = Object.keys(this.data.counts);
    const bins = this.data.counts[labels[0]]?.length ?? 0;
    const below = new Array(bins).fill(0);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const label of labels) {
      const top = this.data.counts[label].map((count, bin) => below[bin] + count);
      const steps = (heights) => heights.flatMap((high, bin) => [[bin, high], [bin + 1, high]]);
      const points = [...steps(top), ...steps(below).reverse()].map((point) => point.join(",")).join(" ");
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
      shape.setAttribute("points", points);
      shape.setAttribute("fill", this.data.colours[label].fill);
      svg.append(shape);
      top.forEach((high, bin) => (below[bin] = high));
    }
    const most = Math.max(1, ...below);
    svg.setAttribute("viewBox", `0 0 ${bins} ${most * 1.12}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.style.transform = "scaleY(-1)";
    const head = el("div", { class: "name head" }, "In sight", el("small", {}, `at most ${most} at once`));
    this.box.append(el("div", { class: "lane count first" }, head, el("div", { class: "track" }, svg)));
  }

  bar(row, kind, number, text) {
    const { fill, ink } = colourOf(this.data, row);
    const title = `${nameOf(row)}  ${clock(row.a)} to ${clock(row.b)}  score ${row.score.toFixed(2)}`;
    const made = el("button", { type: "button", class: "ev", tabindex: -1, title, "data-kind": kind, "data-number": number, "aria-pressed": "false", "--fill": fill, "--on": ink, ...this.place(row) }, el("span", {}, text));
    const key = `${kind} ${number}`;
    this.bars.set(key, [...(this.bars.get(key) ?? []), made]);
    return made;
  }

  mark(chosen) {
    for (const bar of this.box.querySelectorAll('[aria-pressed="true"]')) bar.setAttribute("aria-pressed", "false");
    for (const bar of (chosen && this.bars.get(`${chosen.kind} ${chosen.number}`)) ?? []) bar.setAttribute("aria-pressed", "true");
  }

  /** The media time under a point of the screen, held within the source. */
  timeAt(x) {
    const area = this.axis.getBoundingClientRect();
    return Math.max(0, Math.min(1, (x - area.left) / area.width)) * this.data.duration;
  }

  point(time) {
    this.cursor.hidden = false;
    this.cursor.style.left = `${this.axis.offsetLeft + (time / this.data.duration) * this.axis.offsetWidth}px`;
    byId("cursor-time").textContent = clock(time);
  }

  listen() {
    this.box.addEventListener("mousemove", (event) => {
      const area = this.axis.getBoundingClientRect();
      if (event.clientX >= area.left) this.point(this.timeAt(event.clientX));
    });
    this.box.addEventListener("click", (event) => {
      if (event.target.closest(".name")) return;
      const bar = event.target.closest(".ev");
      // A click without a pointer (a key, a reading aid) has no place: the event's own is taken.
      const time = event.detail ? this.timeAt(event.clientX) : undefined;
      if (bar) this.choose({ kind: bar.dataset.kind, number: +bar.dataset.number }, time);
      else this.look(time);
    });
    this.scroller.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, event.clientX);
    }, { passive: false });
    byId("zoom-in").addEventListener("click", () => this.zoomBy(1.6));
    byId("zoom-out").addEventListener("click", () => this.zoomBy(1 / 1.6));
    byId("zoom-reset").addEventListener("click", () => this.zoomBy(0));
    addEventListener("resize", () => this.layOut());
  }

  /** Zooms around a point of the screen (the middle, unless told); 0 shows everything. */
  zoomBy(factor, x) {
    const view = this.scroller.getBoundingClientRect();
    const at = x ?? view.left + view.width / 2;
    const time = this.timeAt(at);
    this.zoom = Math.max(1, Math.min(Math.max(4, this.data.duration), this.zoom * factor || 1));
    this.box.style.setProperty("--zoom", this.zoom);
    const area = this.axis.getBoundingClientRect();
    this.scroller.scrollLeft += area.left + (time / this.data.duration) * area.width - at;
    this.layOut();
  }

  /** Ticks and thumbnails for the width there is now. */
  layOut() {
    const width = this.axis.offsetWidth;
    const { duration, pictures } = this.data;
    const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
    const step = steps.find((one) => (one / duration) * width >= 76) ?? 14400;
    this.axis.replaceChildren();
    for (let n = 0; n * step <= duration && (n * step / duration) * width < width - 30; n++) {
      const tick = el("span", { class: "tick mono" }, clock(n * step, step < 0.1 ? 2 : step < 1 ? 1 : 0));
      tick.style.left = `${((n * step) / duration) * 100}%`;
      this.axis.append(tick);
    }
    byId("zoom-reset").textContent = `${+this.zoom.toFixed(1)}×`;
    if (!this.strip || !width) return;
    const shape = pictures[0].size[0] / pictures[0].size[1];
    const count = Math.max(1, Math.min(400, Math.round(width / (66 * shape))));
    this.strip.replaceChildren();
    let nth = 0;
    for (let slot = 0; slot < count; slot++) {
      const middle = ((slot + 0.5) / count) * duration;
      while (nth + 1 < pictures.length && Math.abs(pictures[nth + 1].t - middle) <= Math.abs(pictures[nth].t - middle)) nth++;
      this.strip.append(el("img", { src: pictures[nth].src, alt: "", decoding: "async", draggable: "false" }));
    }
  }
}

/** Rows shared by things that do not overlap: first fit, in order of their starts. */
function packed(rows, startOf, endOf) {
  const lines = [];
  for (const row of [...rows].sort((a, b) => startOf(a) - startOf(b))) {
    const line = lines.find((one) => one.end <= startOf(row)) ?? lines[lines.push({ rows: [] }) - 1];
    line.rows.push(row);
    line.end = endOf(row);
  }
  return lines.map((line) => line.rows);
}
