const COLUMNS = [
  ["What", (row) => nameOf(row)],
  ["Lane", (row) => row.lane],
  ["Start", (row) => row.a, "number"],
  ["End", (row) => row.b, "number"],
  ["Length", (row) => row.b - row.a, "number"],
  ["Score", (row) => row.score],
  ["Model", (row, data) => data.models[row.model].name],
];

/** The events as a table that can be filtered and sorted; a track is one row. */
class EventTable {
  constructor(data, choose) {
    this.data = data;
    this.choose = choose;
    this.rows = [
      ...data.spans.map((row, number) => ({ row, key: { kind: "span", number } })),
      ...data.tracks.map((row, number) => ({ row, key: { kind: "track", number } })),
    ];
    [this.by, this.down] = [2, false];
    this.body = byId("events").tBodies[0];
    this.heads = COLUMNS.map(([name, , kind], nth) =>
      el("th", { class: kind, scope: "col" }, el("button", { type: "button", onclick: () => this.sort(nth) }, name)));
    byId("events").tHead.rows[0].append(...this.heads);
    this.options("by-lane", "every lane", (row) => row.lane);
    this.options("by-label", "every label", (row) => row.label);
    byId("filters").addEventListener("change", () => this.fill());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    this.body.addEventListener("click", (event) => this.take(event.target));
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.fill();
  }

  options(id, every, of) {
    const values = [...new Set(this.rows.map(({ row }) => of(row)))].sort();
    byId(id).append(el("option", { value: "" }, every), ...values.map((value) => el("option", { value: `=${value}` }, value)));
  }

  sort(nth) {
    [this.by, this.down] = [nth, this.by === nth && !this.down];
    this.fill();
  }

  fill() {
    const [lane, label] = [byId("by-lane").value.slice(1), byId("by-label").value.slice(1)];
    const [, of] = COLUMNS[this.by];
    const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
    this.heads.forEach((head, nth) => (nth === this.by ? head.setAttribute("aria-sort", this.down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    this.kept = this.rows
      .filter(({ row }) => (!lane || row.lane === lane) && (!label || row.label === label))
      .sort((a, b) => compare(of(a.row, this.data), of(b.row, this.data)) * (this.down ? -1 : 1) || a.row.a - b.row.a);
    this.body.replaceChildren(...this.kept.map((entry, nth) => this.line(entry, nth)));
    byId("shown").textContent = this.kept.length === this.rows.length ? `${this.rows.length}` : `${this.kept.length} of ${this.rows.length}`;
    this.mark(this.chosen);
  }

  line({ row }, nth) {
    const { fill } = colourOf(this.data, row);
    const what = el("td", {}, el("i", { class: "dot", "--fill": fill }), " ", nameOf(row));
    const number = (text) => el("td", { class: "number" }, text);
    const score = el("td", {}, meter(row.score, fill), row.score.toFixed(2));
    return el("tr", { tabindex: nth ? -1 : 0, "data-nth": nth }, what, el("td", {}, row.lane), number(clock(row.a)), number(clock(row.b)), number(short(row.b - row.a)), score, el("td", { class: "quiet" }, this.data.models[row.model].name));
  }

  take(target) {
    const line = target.closest("tr");
    if (line) this.choose(this.kept[+line.dataset.nth].key);
  }

  key(event) {
    const line = event.target.closest("tr");
    const next = { ArrowDown: line.nextSibling, ArrowUp: line.previousSibling }[event.key];
    if (event.key !== "Enter" && event.key !== " " && !next) return;
    event.preventDefault();
    event.stopPropagation();
    (next ?? line).focus();
    this.take(next ?? line);
  }

  mark(chosen) {
    this.chosen = chosen;
    this.kept.forEach(({ key }, nth) => {
      const is = chosen && key.kind === chosen.kind && key.number === chosen.number;
      this.body.rows[nth].setAttribute("aria-selected", is ? "true" : "false");
    });
  }
}

const sum = (counts) => (typeof counts === "object" && counts ? Object.values(counts).reduce((a, b) => a + b, 0) : (counts ?? 0));
const reasons = (counts) => (typeof counts === "object" && counts && Object.keys(counts).length ? Object.entries(counts).map(([why, n]) => `${why}: ${thousands(n)}`).join(", ") : null);

/** The books: what became of every frame and sample, lane by lane. */
function showBooks(data) {
  const ledger = data.summary.ledger ?? {};
  const lanes = Object.entries(ledger.lanes ?? ledger).filter(([, book]) => book && typeof book === "object" && "offered" in book);
  const box = byId("books");
  box.append(el("h2", {}, "The books"));
  if (!lanes.length) return box.append(el("p", { class: "quiet" }, "The run left no ledger."));
  const fields = ["analysed", "not_sampled", "gated", "dropped", "failed"];
  const head = ["Lane", "Offered", ...fields.map((field) => field[0].toUpperCase() + field.slice(1).replace("_", " ")), "Missing"];
  const line = ([name, book]) => {
    const missing = book.offered - fields.reduce((total, field) => total + sum(book[field]), 0);
    const cell = (value) => el("td", { class: "number", title: reasons(value) }, thousands(sum(value)));
    return el("tr", {}, el("td", {}, name, " ", el("span", { class: "quiet" }, book.unit ?? "")), cell(book.offered), ...fields.map((field) => cell(book[field])), el("td", { class: `number ${missing ? "bad" : "good"}` }, thousands(missing)));
  };
  box.append(
    el("p", { class: "quiet" }, "offered = analysed + not sampled + gated + dropped + failed"),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...head.map((text, nth) => el("th", { class: nth ? "number" : null, scope: "col" }, text)))), el("tbody", {}, ...lanes.map(line)))),
  );
  const said = [["Decoded", reasons(ledger.decoded)], ["Troubles", reasons(ledger.troubles)], ...lanes.flatMap(([name, book]) => [[`${name} dropped`, reasons(book.dropped)], [`${name} failed`, reasons(book.failed)]])];
  for (const [what, text] of said) if (text) box.append(el("p", { class: "quiet" }, `${what}: ${text}`));
  for (const gap of gapsOf(data)) box.append(el("p", { class: "quiet" }, `Gap in ${gap.medium}: ${clock(gap.a)} to ${clock(gap.b)}${gap.reason ? `, ${gap.reason}` : ""}`));
}

const secondsOf = (value) => (typeof value === "string" ? value.split("/").reduce((a, b) => a / b) : value);

/** The stretches for which a medium brought nothing. */
function gapsOf(data) {
  return (data.summary.ledger?.gaps ?? [])
    .map((gap) => ({ medium: gap.medium ?? "the stream", reason: gap.reason, a: +secondsOf(gap.start_s ?? gap.start), b: +secondsOf(gap.end_s ?? gap.end) }))
    .filter(({ a, b }) => Number.isFinite(a) && Number.isFinite(b));
}

/** Which networks, which configuration, which versions. */
function showProvenance(data) {
  const { summary, models } = data;
  const digest = (text) => el("span", { class: "mono quiet digest" }, text);
  const lines = [
    ["Source", data.source],
    ["Stream", data.stream],
    ["Engine", summary.engine],
    ["Config", summary.config_hash && digest(summary.config_hash)],
    ...models.map(({ name, sha256 }) => [name, digest(sha256)]),
    ...Object.entries(summary.versions ?? {}),
  ];
  byId("provenance").append(el("h2", {}, "Provenance"), el("dl", {}, ...lines.filter(([, value]) => value).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])));
}
