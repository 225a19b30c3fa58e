/** Patches of all kinds for a document as it is, from a seed: most can be done there, some cannot, many will not be able to at another place. */
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { pointerText } from "../../src/patch/pointer.ts";
import type { Json } from "../../src/patch/json.ts";

const names = ["a", "b", "c", "d", "list", "0", "1", "__proto__", "constructor", "a/b", "m~n", ""];

export function randomPatch(random: Random, document: Json): Json[] {
  const operations: Json[] = [];
  const count = chance(random, 0.6) ? 1 : 1 + randomBelow(random, 4);
  for (let at = 0; at < count; at++) operations.push(randomOperation(random, document));
  // Nothing of the document itself, which changes in place.
  return JSON.parse(JSON.stringify(operations)) as Json[];
}

function randomOperation(random: Random, document: Json): Json {
  if (chance(random, 0.02))
    return {
      op: "replace",
      path: "",
      value: chance(random, 0.8) ? { list: [] } : randomValue(random, 2),
    };
  const path = pointerText(randomPath(random, document));
  switch (randomBelow(random, 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return { op: "add", path, value: randomValue(random, 2) };
    case 4:
    case 5:
      return { op: "replace", path, value: randomValue(random, 2) };
    case 6:
      return { op: "remove", path };
    case 7:
      return { op: "move", from: pointerText(randomPath(random, document)), path };
    case 8:
      return { op: "copy", from: pointerText(randomPath(random, document)), path };
    default:
      return {
        op: "test",
        path,
        value: chance(random, 0.5) ? randomValue(random, 1) : (valueAt(document, path) ?? 0),
      };
  }
}

/** Walks down where there is something, and ends with a name or an index that may not be there. */
function randomPath(random: Random, document: Json): string[] {
  const path: string[] = [];
  let at: Json = document;
  for (;;) {
    const inside: readonly [string, Json][] =
      typeof at === "object" && at !== null ? Object.entries(at) : [];
    const down = inside[randomBelow(random, Math.max(1, inside.length))];
    if (down !== undefined && chance(random, 0.7)) {
      path.push(down[0]);
      at = down[1];
      if (chance(random, 0.4)) return path;
    } else {
      path.push(lastToken(random, at));
      return path;
    }
  }
}

function lastToken(random: Random, container: Json): string {
  if (!Array.isArray(container)) return names[randomBelow(random, names.length)] ?? "a";
  const kind = randomBelow(random, 4);
  if (kind === 0) return "-";
  return String(randomBelow(random, container.length + (kind === 1 ? 2 : 1)));
}

function randomValue(random: Random, depth: number): Json {
  switch (randomBelow(random, depth > 0 ? 8 : 5)) {
    case 0:
      return randomBelow(random, 5);
    case 1:
      return `s${randomBelow(random, 5)}`;
    case 2:
      return chance(random, 0.5);
    case 3:
      return null;
    case 4:
      return 0.5;
    case 5:
    case 6:
      return Array.from({ length: randomBelow(random, 4) }, () => randomValue(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: randomBelow(random, 4) }, () => [
          names[randomBelow(random, names.length)] ?? "a",
          randomValue(random, depth - 1),
        ]),
      );
  }
}

function valueAt(document: Json, path: string): Json | undefined {
  let at: Json | undefined = document;
  for (const token of path.split("/").slice(1)) {
    if (typeof at !== "object" || at === null) return undefined;
    const name: string = token.replaceAll("~1", "/").replaceAll("~0", "~");
    at = Object.hasOwn(at, name) ? (at as Readonly<Record<string, Json>>)[name] : undefined;
  }
  return at;
}
