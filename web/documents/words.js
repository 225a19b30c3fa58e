/** Numbers, times and names in words. */

/**
 * @typedef {import("../../src/documents/vocabulary.ts").Stamp} Stamp
 * @typedef {import("../../src/documents/vocabulary.ts").VectorClock} VectorClock
 * @typedef {import("../../src/patch/json.ts").Json} Json
 */

const whole = new Intl.NumberFormat("en-US");

/** @param {number} value */
export function countText(value) {
  return whole.format(value);
}

/**
 * `1 transaction`, `2 transactions`.
 * @param {number} value
 * @param {string} noun
 */
export function counted(value, noun) {
  return `${whole.format(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** @param {number} value */
export function bytesText(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let rest = value;
  while (rest >= 1_024 && unit < units.length - 1) {
    rest /= 1_024;
    unit++;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** @param {number} ms */
export function durationText(ms) {
  const size = Math.abs(ms);
  if (size < 10 && size > 0) return `${ms.toFixed(1)} ms`;
  if (size < 1_000) return `${Math.round(ms)} ms`;
  if (size < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (size < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (size < 3_600_000)
    return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  if (size < 172_800_000)
    return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
  return `${Math.floor(ms / 86_400_000)} days`;
}

/**
 * How long ago, by this browser's clock.
 * @param {number} ms
 */
export function agoText(ms) {
  const age = Date.now() - ms;
  if (age < 1_500) return "now";
  return `${durationText(Math.round(age / 1_000) * 1_000)} ago`;
}

/** @param {number} part */
function two(part) {
  return String(part).padStart(2, "0");
}

/**
 * Local time to the millisecond, with the day unless it is today.
 * @param {number} ms
 */
export function timeText(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return `${ms} ms`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === new Date().toDateString() ? time : `${day} ${time}`;
}

/** @param {{ readonly source: string, readonly id: number }} transaction */
export function transactionName({ source, id }) {
  return `${source}:${id}`;
}

/** @param {string} hash */
export function shortHash(hash) {
  return hash.slice(0, 8);
}

/**
 * The value as JSON, cut to about so many characters without writing all of it first.
 * @param {Json | undefined} value
 * @param {number} maxLength
 */
export function briefJson(value, maxLength) {
  if (value === undefined) return "nothing";
  /** @type {string[]} */
  const parts = [];
  let left = maxLength;
  /** @param {string} text */
  const put = (text) => {
    parts.push(text);
    left -= text.length;
  };
  /** @param {Json} each */
  const write = (each) => {
    if (left <= 0) return;
    if (typeof each === "string") put(JSON.stringify(each.slice(0, left + 1)));
    else if (each === null || typeof each !== "object") put(String(each));
    else if (Array.isArray(each)) {
      put("[");
      for (const [i, item] of each.entries()) {
        if (left <= 0) break;
        if (i > 0) put(", ");
        write(item);
      }
      put("]");
    } else {
      const members = /** @type {Readonly<Record<string, Json>>} */ (each);
      put("{");
      let first = true;
      for (const name in members) {
        if (left <= 0) break;
        if (!first) put(", ");
        first = false;
        put(`${JSON.stringify(name)}: `);
        write(members[name] ?? null);
      }
      put("}");
    }
  };
  write(value);
  const text = parts.join("");
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}

/**
 * @param {VectorClock} vclock
 * @param {string} source
 */
export function held(vclock, source) {
  return Object.hasOwn(vclock, source) ? (vclock[source] ?? 0) : 0;
}

/**
 * A colour of its own for each name, always the same: a hue. Names stand beside it, always.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 2_166_136_261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16_777_619);
  return ((hash >>> 0) * 137) % 360;
}
