/**
 * Who wrote what in a document, while its transactions are gone through in order: the last write of each place, and who put elements into arrays or took them out. Places are those of the document as it
 * is then: behind an element that is put in, the others' places move up.
 */
import { jsonEqual } from "../patch/canonical.ts";
import type { Json } from "../patch/json.ts";
import { arrayIndex } from "../patch/pointer.ts";
import type { PlacedTransaction } from "./vocabulary.ts";

export interface Write {
  readonly transaction: PlacedTransaction;
  /** When it was done: the place in the order. */
  readonly at: number;
  /** As its author called the place. */
  readonly path: readonly string[];
  /** What was written: `undefined` stands for a removal. Not given: it was copied or moved from elsewhere. */
  readonly value?: Json | undefined;
}

/** A write that is gone, and where it stood below the place that was written over. */
export interface LostWrite {
  readonly write: Write;
  readonly rest: readonly string[];
}

/** Elements from `least` on stand elsewhere since. */
interface Shift {
  readonly write: Write;
  least: number;
}

interface Place {
  write: Write | undefined;
  /** The last one here or below. */
  latest: Write | undefined;
  members: Map<string, Place> | undefined;
  /** Instead of members: of an array whose elements were moved, sorted. */
  elements: Element[] | undefined;
  /** Of an array, one for each transaction. */
  shifts: Shift[] | undefined;
}

interface Element {
  index: number;
  readonly place: Place;
}

/** Elements of one array that are followed, the first ones: what it takes to move them is bounded. */
const elementsMaxCount = 4_000;

export class WriteMap {
  readonly #root: Place = newPlace();
  /** The document behind all transactions; tells arrays from objects where no write does. */
  readonly #value: Json;

  constructor(value: Json) {
    this.#value = value;
  }

  /** Says whether the path leads to an element of an array, or would. */
  isElement(path: readonly string[]): boolean {
    const token = path.at(-1);
    if (token === undefined) return false;
    let place: Place | undefined = this.#root;
    let written = place.write?.value;
    for (const name of path.slice(0, -1)) {
      place = place === undefined ? undefined : inside(place, name);
      written = place?.write === undefined ? childOf(written, name) : place.write.value;
    }
    for (const container of [written, valueAt(this.#value, path.slice(0, -1))])
      if (typeof container === "object" && container !== null) return Array.isArray(container);
    return token === "-" || arrayIndex(token) >= 0;
  }

  /** The place has this value now. Answers what stood there and below. */
  overwrite(path: readonly string[], write: Write): readonly LostWrite[] {
    const place = this.#reach(path, path.length, write);
    const lost = lostIn(place);
    place.write = write;
    place.members = undefined;
    place.elements = undefined;
    place.shifts = undefined;
    return lost;
  }

  /** An element is put into an array. */
  insert(path: readonly string[], write: Write): void {
    const array = this.#reach(path, path.length - 1, write);
    const index = arrayIndex(path.at(-1) ?? "");
    // Where "-" is, is not known; it moves nothing.
    shift(array, index < 0 ? Infinity : index, 1, write);
    if (index < 0) return;
    const element = newPlace();
    element.write = write;
    element.latest = write;
    setInside(array, String(index), element);
  }

  /** An element is taken out of an array. Answers what stood there and below. */
  takeOut(path: readonly string[], write: Write): readonly LostWrite[] {
    const array = this.#reach(path, path.length - 1, write);
    const token = path.at(-1) ?? "";
    const index = arrayIndex(token);
    const elements = elementsOf(array);
    const at = placeOf(elements, index);
    const taken = elements[at]?.index === index ? elements.splice(at, 1) : [];
    shift(array, index, -1, write);
    return taken.flatMap(({ place }) => lostIn(place));
  }

  /** The last write that may have made the place what it is: of the place, of what is below or around it, or one that moved it. */
  lastAt(path: readonly string[]): Write | undefined {
    let place: Place | undefined = this.#root;
    let last: Write | undefined;
    for (const token of path) {
      last = later(last, later(place.write, place.shifts?.at(-1)?.write));
      place = inside(place, token);
      if (place === undefined) return last;
    }
    return later(last, place.latest);
  }

  /** The last of the writes that satisfy `isMeant` by which an element on the path stands elsewhere than it did; with `inserts` the last token is where something is to be put in. */
  moverOf(
    path: readonly string[],
    inserts: boolean,
    isMeant: (write: Write) => boolean,
  ): { readonly write: Write; readonly depth: number } | undefined {
    let place: Place | undefined = this.#root;
    for (let depth = 0; depth < path.length && place !== undefined; depth++) {
      const token = path[depth] as string;
      const index = arrayIndex(token);
      if (place.shifts !== undefined && index >= 0) {
        // Before the element at an index stays before it, whatever was put there as well.
        const most = inserts && depth === path.length - 1 ? index - 1 : index;
        const found = place.shifts.findLast(({ least, write }) => least <= most && isMeant(write));
        if (found !== undefined) return { write: found.write, depth };
      }
      place = inside(place, token);
    }
    return undefined;
  }

  #reach(path: readonly string[], length: number, write: Write): Place {
    let place = this.#root;
    place.latest = write;
    for (let depth = 0; depth < length; depth++) {
      const token = path[depth] as string;
      let next = inside(place, token);
      if (next === undefined) {
        next = newPlace();
        setInside(place, token, next);
      }
      next.latest = write;
      place = next;
    }
    return place;
  }
}

/** What is at the path; `undefined`: nothing. */
export function valueAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let found = value;
  for (const token of path) found = childOf(found, token);
  return found;
}

/** Says whether both are nothing, or the same. */
export function sameOrNothing(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a === b : jsonEqual(a, b);
}

function childOf(value: Json | undefined, token: string): Json | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return (value as readonly Json[])[arrayIndex(token)];
  return Object.hasOwn(value, token) ? (value as Readonly<Record<string, Json>>)[token] : undefined;
}

function newPlace(): Place {
  return {
    write: undefined,
    latest: undefined,
    members: undefined,
    elements: undefined,
    shifts: undefined,
  };
}

function later(a: Write | undefined, b: Write | undefined): Write | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.at >= a.at ? b : a;
}

function lostIn(place: Place): LostWrite[] {
  const lost: LostWrite[] = [];
  gather(place, [], lost);
  return lost;
}

function gather(place: Place, rest: readonly string[], lost: LostWrite[]): void {
  if (place.write !== undefined) lost.push({ write: place.write, rest });
  for (const [token, inner] of place.members ?? []) gather(inner, [...rest, token], lost);
  for (const { index, place: inner } of place.elements ?? [])
    gather(inner, [...rest, String(index)], lost);
}

/** Elements from `least` on move by `step`. */
function shift(array: Place, least: number, step: 1 | -1, write: Write): void {
  const shifts = (array.shifts ??= []);
  const last = shifts.at(-1);
  if (last?.write.transaction === write.transaction) last.least = Math.min(last.least, least);
  else shifts.push({ write, least });
  const elements = elementsOf(array);
  for (let at = placeOf(elements, least); at < elements.length; at++) {
    const element = elements[at];
    if (element !== undefined) element.index += step;
  }
}

function inside(place: Place, token: string): Place | undefined {
  const { elements } = place;
  if (elements === undefined) return place.members?.get(token);
  const index = arrayIndex(token);
  const element = elements[placeOf(elements, index)];
  return element?.index === index ? element.place : undefined;
}

function setInside(place: Place, token: string, inner: Place): void {
  const { elements } = place;
  if (elements === undefined) {
    (place.members ??= new Map()).set(token, inner);
    return;
  }
  const index = arrayIndex(token);
  if (index < 0) return;
  elements.splice(placeOf(elements, index), 0, { index, place: inner });
  if (elements.length > elementsMaxCount) elements.pop();
}

/** From the first change of its elements on a place is known to be an array. */
function elementsOf(array: Place): Element[] {
  if (array.elements !== undefined) return array.elements;
  const elements: Element[] = [];
  for (const [token, place] of array.members ?? []) {
    const index = arrayIndex(token);
    if (index >= 0) elements.push({ index, place });
  }
  elements.sort((a, b) => a.index - b.index);
  elements.length = Math.min(elements.length, elementsMaxCount);
  array.members = undefined;
  array.elements = elements;
  return elements;
}

/** Of the first element at the index or behind it. */
function placeOf(elements: readonly Element[], index: number): number {
  let from = 0;
  let to = elements.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((elements[middle]?.index ?? Infinity) < index) from = middle + 1;
    else to = middle;
  }
  return from;
}
