const byId = (id) => document.getElementById(id);

/** An element with attributes, `--` custom properties, listeners (`on...`) and children. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("--")) made.style.setProperty(key, value);
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** `m:ss.mmm`, with hours only when there are any. */
function clock(seconds, digits = 3) {
  const scale = 10 ** digits;
  const units = Math.round(seconds * scale);
  const whole = Math.floor(units / scale);
  const rest = digits ? "." + String(units % scale).padStart(digits, "0") : "";
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const head = hours ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(whole % 60)}${rest}`;
}

const thousands = (n) => Number(n).toLocaleString("en-US");
const short = (seconds) => (seconds < 60 ? `${+seconds.toFixed(seconds < 10 ? 2 : 1)} s` : clock(seconds, 0));
const plural = (n, word) => `${thousands(n)} ${word}${n === 1 ? "" : "s"}`;

/** What a labelled thing is called: `person 3`, or the label alone. */
const nameOf = (row) => (row.id === null || row.id === undefined ? row.label : `${row.label} ${row.id}`);
