/** The map: this node in the middle, others around it, a line for each link. The tables below say the same in words. */
import { draw, element } from "./elements.js";
import { countText, durationText } from "./words.js";

/**
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentStatus} DocumentStatus
 * @typedef {import("../../src/documents/vocabulary.ts").LinkStatus} LinkStatus
 * @typedef {{ name: string, link: LinkStatus | undefined, kind: string }} Place a node around this one
 */

const width = 420;
const selfX = 50;
const otherX = 262;
/** Where along a line its words stand: near its end, where lines are far from each other. */
const wordsAt = 0.7;
const rowsHeight = 46;

/**
 * @param {DocumentStatus | undefined} status
 * @param {readonly LinkStatus[]} links
 */
export function showMap(status, links) {
  const places = placesOf(status, links);
  const map = element("map");
  map.toggleAttribute("hidden", places.length === 0);
  if (places.length === 0) return;
  const height = Math.max(90, places.length * rowsHeight);
  map.setAttribute("viewBox", `0 0 ${width} ${height}`);
  map.setAttribute(
    "aria-label",
    `${status?.source ?? "this node"} and ${places.map(({ name, link }) => `${name}: ${link === undefined ? "no direct link" : link.state === "up" ? "up" : "down"}`).join(", ")}`,
  );
  const middle = height / 2;
  map.replaceChildren(
    ...places.flatMap((place, i) =>
      placeParts(place, (i + 0.5) * (height / places.length), middle),
    ),
    ...node(selfX, middle, status?.source ?? "this node", "self"),
  );
}

/**
 * Each node once: by its name where it has said it, else by its address.
 * @param {DocumentStatus | undefined} status
 * @param {readonly LinkStatus[]} links
 * @returns {Place[]}
 */
function placesOf(status, links) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  for (const link of links) {
    const name = link.source ?? link.address;
    const known = places.get(name)?.link;
    if (known === undefined || (known.state !== "up" && link.state === "up"))
      places.set(name, { name, link, kind: link.kind });
  }
  for (const { source, kind } of status?.members ?? [])
    if (kind !== "self" && !places.has(source))
      // An author that speaks through a plain link has no link under its own name.
      places.set(source, { name: source, link: undefined, kind });
  return [...places.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * @param {Place} place
 * @param {number} y
 * @param {number} middle
 */
function placeParts({ name, link, kind }, y, middle) {
  const x = otherX;
  const state = link === undefined ? "none" : link.state === "up" ? "up" : "down";
  const words =
    link === undefined
      ? ""
      : link.state !== "up"
        ? link.state === "connecting"
          ? "connecting"
          : "down"
        : [
            link.roundTripMs === null ? "up" : durationText(link.roundTripMs),
            link.backlog > 0 ? `${countText(link.backlog)} to send` : "",
          ]
            .filter((each) => each !== "")
            .join(", ");
  const parts = [];
  if (link !== undefined) {
    parts.push(
      draw("line", {
        class: `wire ${state}`,
        x1: String(selfX),
        y1: String(middle),
        x2: String(x),
        y2: String(y),
      }),
    );
    const at = draw(
      "text",
      {
        class: "wire-words",
        x: String(selfX + (x - selfX) * wordsAt),
        y: String(middle + (y - middle) * wordsAt - 6),
        "text-anchor": "middle",
      },
      words,
    );
    parts.push(at);
  }
  return [...parts, ...node(x, y, name, `${kind} ${state}`)];
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} name
 * @param {string} kind
 */
function node(x, y, name, kind) {
  const isPlain = kind.startsWith("plain");
  const shape = isPlain
    ? draw("rect", {
        class: `node ${kind}`,
        x: String(x - 9),
        y: String(y - 9),
        width: "18",
        height: "18",
        rx: "3",
      })
    : draw("circle", { class: `node ${kind}`, cx: String(x), cy: String(y), r: "10" });
  const short = name.length > 18 ? `${name.slice(0, 17)}…` : name;
  const isSelf = kind === "self";
  const label = draw(
    "text",
    {
      class: "node-name",
      x: String(isSelf ? x : x + 16),
      y: String(isSelf ? y + 26 : y + 4),
      "text-anchor": isSelf ? "middle" : "start",
    },
    short,
  );
  return [shape, label];
}
