const MOST_CHIPS = 14;

const colourOf = (data, row) => (row.fill ? row : data.colours[row.label]);

/** The panel beside the picture: everything that is claimed of the chosen event. */
class Facts {
  constructor(data, sound, choose) {
    Object.assign(this, { data, sound, choose });
    this.box = byId("facts");
  }

  /** Nothing is chosen: the moment alone. */
  clear(time) {
    this.box.replaceChildren(
      el("p", { class: "title" }, clock(time)),
      el("p", { class: "quiet" }, "Choose a bar, a row, or something in the picture to see the evidence for it."),
    );
  }

  /** What else holds at a time: the other labels, and what is in the shown picture. */
  meanwhile(time, picture, chosen) {
    const { spans, tracks } = this.data;
    const found = [
      ...spans.flatMap((row, number) => (row.a <= time && time < row.b ? [[row, { kind: "span", number }]] : [])),
      ...(picture?.masks ?? []).map((mask) => [tracks[mask.track], { kind: "track", number: mask.track }]),
    ].filter(([, key]) => key.kind !== chosen?.kind || key.number !== chosen.number);
    if (!found.length) return;
    const chips = found.slice(0, MOST_CHIPS).map(([row, key]) => {
      const dot = el("i", { class: "dot", "--fill": colourOf(this.data, row).fill });
      return el("button", { type: "button", class: "chip", onclick: () => this.choose(key, time) }, dot, nameOf(row));
    });
    if (found.length > MOST_CHIPS) chips.push(el("span", { class: "quiet" }, `and ${found.length - MOST_CHIPS} more`));
    this.box.append(el("h3", {}, chosen ? "At the same time" : "At this time"), el("div", { class: "chips" }, ...chips));
  }

  span(row) {
    this.fill(row, `in lane ${row.lane}`, row.score, [...this.when(row), ...this.by(row)]);
    if (!this.sound || laneMedium(this.data, row.lane) !== "audio") return;
    const margin = Math.max(0.4, (row.b - row.a) * 0.35);
    const canvas = el("canvas", { role: "img", "aria-label": "The sound around the event" });
    this.box.append(canvas);
    this.sound.paint(canvas, row.a - margin, row.b + margin).then(() => this.bracket(canvas, row, margin));
  }

  bracket(canvas, row, margin) {
    const from = Math.max(0, row.a - margin);
    const to = Math.min(this.data.duration, row.b + margin);
    const x = (time) => ((time - from) / (to - from)) * canvas.width;
    const pen = canvas.getContext("2d");
    pen.fillStyle = colourOf(this.data, row).fill;
    pen.fillRect(x(row.a), canvas.height - 5, x(row.b) - x(row.a), 5);
  }

  /** A track; `mask` is its observation in the shown picture, if it is there. */
  track(row, mask, key) {
    const seen = [
      ["Followed", `${clock(row.a)} to ${clock(row.b)}`],
      ["Seen in", plural(row.seen, "analysed frame")],
      ["Best score", el("button", { type: "button", class: "link", onclick: () => this.choose(key, row.best) }, `${row.score.toFixed(4)} at ${clock(row.best)}`)],
    ];
    const here = mask ? [...this.when(mask), ["Box", mask.box.map((edge) => +edge.toFixed(1)).join(", ") + " px"], ["Mask", this.area(mask)]] : [];
    const kind = row.id === null ? "not tracked" : `track ${row.id}`;
    this.fill(row, `${kind}, lane ${row.lane}`, mask ? mask.score : row.score, [...here, ...seen, ...this.by(row)]);
  }

  area(mask) {
    const shape = maskOf(mask.rle);
    return shape ? `${thousands(shape.area)} px` : "empty";
  }

  when(row) {
    const exact = (time) => el("span", { class: "mono quiet" }, `  = ${time} s`);
    const line = (seconds, time) => el("span", {}, clock(seconds), exact(time));
    return [["Start", line(row.a, row.start)], ["End", line(row.b, row.end)], ["Length", short(row.b - row.a)]];
  }

  by(row) {
    const model = this.data.models[row.model];
    return [["Model", model.name], ["sha256", el("span", { class: "mono digest quiet" }, model.sha256)]];
  }

  fill(row, where, score, lines) {
    const { fill } = colourOf(this.data, row);
    this.box.replaceChildren(
      el("p", { class: "title" }, el("i", { class: "dot", "--fill": fill }), nameOf(row)),
      el("p", { class: "quiet" }, where),
      el("div", { class: "score" }, meter(score, fill), el("b", {}, score.toFixed(4))),
      el("dl", {}, ...lines.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])),
    );
  }
}

const meter = (part, fill) => el("span", { class: "meter", "--part": part, "--fill": fill }, el("i"));

/** Whether a lane watches or listens; the books say so, otherwise the source does. */
function laneMedium(data, lane) {
  const told = data.summary.ledger?.lanes?.[lane]?.medium ?? data.summary.lanes?.find?.((one) => one.name === lane)?.medium;
  if (told) return told;
  if (!data.sound || !data.video) return data.sound ? "audio" : "video";
  return /sound|audio/i.test(lane) ? "audio" : "video";
}
