const data = JSON.parse(byId("data").textContent);
let chosen = null;

const sound = data.sound ? new Sound(data) : null;
const stage = new Stage(data, choose);
const facts = new Facts(data, sound, choose);
const timeline = new Timeline(data, sound, { choose, look });
const table = new EventTable(data, choose);

/** Brings out an event: its frame, its numbers, its bar and its row. */
function choose(what, time) {
  chosen = what;
  timeline.mark(chosen);
  table.mark(chosen);
  if (!chosen) return look(time ?? 0);
  const row = chosen.kind === "span" ? data.spans[chosen.number] : data.tracks[chosen.number];
  const at = time ?? (chosen.kind === "span" ? (row.a + row.b) / 2 : row.best);
  timeline.point(at);
  if (chosen.kind === "span") {
    facts.span(row);
    showPicture(stage.nearest(at), null, at);
  } else {
    const number = stage.nearest(at, chosen.number);
    const mask = data.pictures[number]?.masks.find((one) => one.track === chosen.number);
    facts.track(row, mask, chosen);
    showPicture(number < 0 ? stage.nearest(at) : number, chosen.number, at);
  }
}

/** Shows the moment and chooses nothing. */
function look(time) {
  chosen = null;
  timeline.mark(null);
  table.mark(null);
  timeline.point(time);
  facts.clear(time);
  showPicture(stage.nearest(time), null, time);
}

function showPicture(number, track, time) {
  const picture = data.pictures[number];
  facts.meanwhile(time, picture, chosen);
  if (!picture) return stage.showSound(sound, time);
  const away = Math.abs(picture.t - time);
  stage.show(number, track, away > 0.3 ? `The nearest kept picture, ${short(away)} from the chosen moment` : "");
}

/** The next or previous picture; of the chosen track, if one is chosen. */
function step(by) {
  const track = chosen?.kind === "track" ? chosen.number : null;
  let number = stage.number + by;
  while (track !== null && data.pictures[number] && !data.pictures[number].masks.some((mask) => mask.track === track)) number += by;
  const picture = data.pictures[number];
  if (picture) choose(chosen, picture.t);
}

addEventListener("keydown", (event) => {
  if (event.target.closest("select, input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), Escape: () => choose(null, data.pictures[stage.number]?.t),
    "+": () => timeline.zoomBy(1.6), "=": () => timeline.zoomBy(1.6), "-": () => timeline.zoomBy(1 / 1.6), "0": () => timeline.zoomBy(0),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

function showHeader() {
  const { summary } = data;
  byId("name").textContent = data.name;
  byId("about").textContent = [clock(data.duration), ...data.media].join("  ·  ");
  const books = summary.ledger?.closed;
  const score = summary.truth_score;
  const figures = [
    summary.speed && ["real time", `${summary.speed.toFixed(summary.speed < 10 ? 2 : 1)}×`],
    summary.wall_s && ["wall time", short(summary.wall_s)],
    score && ["planted sounds found", `${score.found} of ${score.planted}`],
    score && ["false alarms", score.false, score.false ? "bad" : "good"],
    books !== undefined && ["the books", books ? "closed" : "open", books ? "good" : "bad"],
    summary.complete === false && ["the source", "broke off", "bad"],
  ];
  byId("figures").append(...figures.filter(Boolean).map(([what, value, kind]) => el("div", {}, el("dt", {}, what), el("dd", { class: kind }, String(value)))));
}

/** One line for each medium and kind: chips that lead to the surest event of a label. */
function showFindings() {
  const lines = { Seen: new Map(), Doing: new Map(), Heard: new Map() };
  const add = (line, row, kind, number) => {
    const held = lines[line].get(row.label);
    if (held && held.score >= row.score) return;
    const [count, length] = kind === "track" ? [data.totals.tracks[row.label], 0] : data.totals.spans[`${row.lane} ${row.label}`];
    lines[line].set(row.label, { count, length, score: row.score, key: { kind, number }, fill: data.colours[row.label].fill });
  };
  data.tracks.forEach((row, number) => add("Seen", row, "track", number));
  data.spans.forEach((row, number) => add(laneMedium(data, row.lane) === "audio" ? "Heard" : "Doing", row, "span", number));
  for (const [verb, labels] of Object.entries(lines)) {
    if (!labels.size) continue;
    const chips = [...labels].sort(([, a], [, b]) => b.length - a.length || b.count - a.count).map(([label, { count, length, fill, key }]) => {
      const how = verb === "Seen" ? plural(count, "track") : `${count > 1 ? `${thousands(count)} times, ` : ""}${short(length)}`;
      return el("button", { type: "button", class: "chip", onclick: () => choose(key) }, el("i", { class: "dot", "--fill": fill }), el("b", {}, label), el("span", {}, how));
    });
    byId("findings").append(el("div", {}, el("span", { class: "verb" }, verb), ...chips));
  }
  if (!byId("findings").children.length) byId("findings").append(el("p", { class: "quiet" }, "Nothing was found."));
}

showHeader();
byId("planted-hint").hidden = !data.truth.length;
showFindings();
showBooks(data);
showProvenance(data);
if (data.summary.error) data.notes.unshift(`The source broke off: ${data.summary.error}`);
byId("notes").append(...data.notes.map((note) => el("p", {}, note)));
const first = [...table.rows].sort((a, b) => b.row.score - a.row.score)[0];
if (first) choose(first.key);
else look(0);
