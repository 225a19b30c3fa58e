/** Values and patches from a seed, with all names that are dangerous in JavaScript and all tokens that are no index; most operations can be done on the document they are made for. */
import { chance, randomBelow, type Random } from "../../src/base/random.ts";
import type { Json } from "../../src/patch/json.ts";
import type { Operation, Patch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";

export const plainNames = ["a", "b", "c", "10", "2", "0", "", "ü", "a/b", "m~n", "\ue000", "😀"];
export const dangerousNames = [
  "__proto__",
  "constructor",
  "prototype",
  "length",
  "toString",
  "hasOwnProperty",
  "__defineGetter__",
];
const allNames = [...plainNames, ...dangerousNames];
const scalars: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  -7,
  1.5,
  1e21,
  5e-324,
  "",
  "x",
  'q"\\\n\u0001',
  "é中😀",
  "\ud800",
];

export interface Shape {
  /** Names that members may have. */
  readonly names: readonly string[];
}

export const anyShape: Shape = { names: allNames };

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[randomBelow(random, choices.length)] as T;
}

export function randomJson(random: Random, levels = 3, { names } = anyShape): Json {
  if (levels === 0 || chance(random, 0.3)) return pick(random, scalars);
  const parts = randomBelow(random, 5);
  if (chance(random, 0.4))
    return Array.from({ length: parts }, () => randomJson(random, levels - 1, { names }));
  const entries = Array.from(
    { length: parts },
    () => [pick(random, names), randomJson(random, levels - 1, { names })] as const,
  );
  return Object.fromEntries(entries) as Json;
}

/** Of one to `most` operations, each made for the document as those before it leave it. */
export function randomPatch(random: Random, document: Json, most = 5, shape = anyShape): Patch {
  const sketch = new Tree(structuredCloneOf(document));
  const count = 1 + randomBelow(random, most);
  const operations: Operation[] = [];
  for (let at = 0; at < count; at++) {
    const operation = randomOperation(random, sketch.value, shape);
    sketch.apply([operation], undefined, { upsert: false, maxWeight: 100_000 });
    operations.push(operation);
  }
  return operations;
}

/** `JSON.parse` keeps own members that are called `__proto__`; `structuredClone` does too, but is slower. */
export function structuredCloneOf(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

function randomOperation(random: Random, document: Json, shape: Shape): Operation {
  const value = randomJson(random, 2, shape);
  const path = randomPath(random, document, shape);
  switch (randomBelow(random, 12)) {
    case 0:
    case 1:
    case 2:
      return { op: "add", path, value };
    case 3:
    case 4:
      return { op: "replace", path, value };
    case 5:
    case 6:
      return { op: "remove", path };
    case 7:
    case 8:
      return { op: "move", path, from: randomPath(random, document, shape, true) };
    case 9:
    case 10:
      return { op: "copy", path, from: randomPath(random, document, shape, true) };
    default:
      return {
        op: "test",
        path,
        value: chance(random, 0.8) ? structuredCloneOf(valueAt(document, path) ?? null) : value,
      };
  }
}

function randomPath(random: Random, document: Json, shape: Shape, exists = false): string[] {
  const path: string[] = [];
  let value: Json | undefined = document;
  while (typeof value === "object" && value !== null) {
    const names: readonly string[] = Object.keys(value);
    if (names.length === 0 || (!exists && chance(random, 0.25))) {
      path.push(freshToken(random, value, shape));
      return path;
    }
    const name: string = pick(random, names);
    path.push(name);
    value = (value as Readonly<Record<string, Json>>)[name];
    if (chance(random, 0.4)) return path;
  }
  if (chance(random, 0.05)) path.push(pick(random, shape.names));
  return path;
}

function freshToken(random: Random, container: Json, shape: Shape): string {
  if (!Array.isArray(container)) return pick(random, shape.names);
  const { length } = container;
  if (chance(random, 0.8)) return pick(random, ["-", String(length), "0"]);
  return pick(random, ["01", "-1", "1.0", "1e0", "", " 1", String(length + 1), ...shape.names]);
}

export function valueAt(document: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const token of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, token))
      return undefined;
    value = (value as Readonly<Record<string, Json>>)[token];
  }
  return value;
}
