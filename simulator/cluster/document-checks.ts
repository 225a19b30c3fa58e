/**
 * What must be so of documents when all is over: all nodes have one history and one document; it is what the history gives when it is done anew from the beginning; every write that was
 * acknowledged is in it, once, as it was told, and nothing that nobody wrote.
 */
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import type { PlacedTransaction } from "../../src/documents/vocabulary.ts";
import { SimulationError } from "../node-state.ts";
import type { DocumentAtEnd } from "./document-end.ts";
import { placeText } from "./document-watch.ts";
import type { DocumentWrite } from "./document-write.ts";
import { textOf } from "./document-workload.ts";

export interface DocumentStory {
  readonly name: string;
  readonly ends: readonly DocumentAtEnd[];
  /** Of this document. */
  readonly writes: readonly DocumentWrite[];
  /** Patches of the plain peer, by Id from 1. */
  readonly plain: readonly string[];
  /** Names that were evicted while their nodes lived: what those had above the cut is there again under another name. */
  readonly evicted: ReadonlySet<string>;
  /** Nobody came who was unknown when something was told to be final. */
  readonly finalsHold: boolean;
  /** Whether what was only on that disk of the host is gone. */
  readonly isLost: (host: number, disk: string) => boolean;
}

/** Throws SimulationError. */
export function checkDocument(story: DocumentStory): void {
  const { name, ends } = story;
  const [first] = ends;
  if (first === undefined) {
    checkWrites(story, []);
    return;
  }
  const { history, text, host } = first;
  for (const other of ends) compare(name, first, other);
  checkOrder(name, history);
  checkFold(name, history, text, host);
  checkWrites(story, history);
}

/** I1: the same transactions, in the same order, with the same verdicts. */
function compare(name: string, one: DocumentAtEnd, other: DocumentAtEnd): void {
  const count = Math.max(one.history.length, other.history.length);
  for (let at = 0; at < count; at++) {
    const [a, b] = [one.history[at], other.history[at]];
    const [here, there] = [a, b].map((place) => (place === undefined ? "none" : placeText(place)));
    if (here !== there)
      throw new SimulationError(
        `I1: in ${name} there is ${here} on h${one.host} and ${there} on h${other.host}`,
      );
  }
}

/** I2: each source from 1 without a gap, its stamps rising; and the places follow the order. */
function checkOrder(name: string, history: readonly PlacedTransaction[]): void {
  const counts = new Map<string, number>();
  let before: PlacedTransaction | undefined;
  for (const [at, transaction] of history.entries()) {
    const { source, id, position, final } = transaction;
    const expected = (counts.get(source) ?? 0) + 1;
    counts.set(source, expected);
    if (id !== expected)
      throw new SimulationError(`I2: ${source}:${id} comes in ${name} where ${expected} should`);
    if (position !== at + 1 || !final)
      throw new SimulationError(`${source}:${id} stands at ${position} in ${name}, not final`);
    if (before !== undefined && !isBefore(before, transaction))
      throw new SimulationError(
        `I3: ${placeText(before)} stands before ${placeText(transaction)} in ${name}`,
      );
    before = transaction;
  }
}

function isBefore(a: PlacedTransaction, b: PlacedTransaction): boolean {
  if (a.stamp === null || b.stamp === null)
    return b.stamp === null && (a.stamp !== null || a.source < b.source || a.id < b.id);
  const by =
    a.stamp.ms - b.stamp.ms ||
    a.stamp.counter - b.stamp.counter ||
    (a.source < b.source ? -1 : a.source > b.source ? 1 : a.id - b.id);
  return by < 0;
}

/** The document is what its history gives, without undoing anything. */
function checkFold(
  name: string,
  history: readonly PlacedTransaction[],
  text: string,
  host: number,
): void {
  const tree = new Tree({});
  const options = { upsert: name === "default", maxWeight: limits.documentMaxBytes };
  for (const transaction of history) {
    if (transaction.kind === "record") continue;
    const failure = tree.apply(decodePatch(transaction.operations), undefined, options);
    if ((failure === undefined) !== (transaction.verdict.kind === "ok"))
      throw new SimulationError(
        `P6: ${placeText(transaction)} in ${name} on h${host}; done anew: ${failure?.text ?? "ok"}`,
      );
  }
  const expected = canonicalText(tree.value);
  if (text !== expected)
    throw new SimulationError(`P6: ${name} is ${text} on h${host}; its history gives ${expected}`);
}

function checkWrites(story: DocumentStory, history: readonly PlacedTransaction[]): void {
  const { name, writes } = story;
  const byName = new Map(history.map((place) => [`${place.source}:${place.id}`, place]));
  const byWord = wordsOf(history);
  const owners = new Map<string, DocumentWrite>();
  const words = new Map(writes.map((write) => [write.word, write]));
  for (const write of writes) {
    const places = byWord.get(write.word) ?? [];
    if (places.length > 1 && story.evicted.size === 0)
      throw new SimulationError(
        `P3: ${textOf(write)} is there ${places.length} times: ${places.map(placeText).join(" and ")}`,
      );
    if (write.fate === "failed" && places.length > 0)
      throw new SimulationError(`${textOf(write)}, and is there: ${placeText(must(places[0]))}`);
    if (write.fate !== "acknowledged" || write.source === undefined) continue;
    const key = `${write.source}:${write.id}`;
    const owner = owners.get(key);
    if (owner !== undefined)
      throw new SimulationError(`I7: one Id for two: ${textOf(owner)} and ${textOf(write)}`);
    owners.set(key, write);
    checkAcknowledged(story, write, byName.get(key), places);
  }
  for (const [word, places] of byWord)
    if (!words.has(word)) throw new SimulationError(`nobody wrote ${placeText(must(places[0]))}`);
  for (const [at, payload] of story.plain.entries()) {
    const place = name === "default" ? byName.get(`plain:${at + 1}`) : undefined;
    const expected = canonicalText(JSON.parse(payload) as Json);
    if (name === "default" && canonicalText(place?.operations ?? null) !== expected)
      throw new SimulationError(
        `plain:${at + 1} is ${expected}; there is ${place === undefined ? "nothing" : placeText(place)}`,
      );
  }
}

/** P1: what was acknowledged is there as it was told. */
function checkAcknowledged(
  { evicted, finalsHold, isLost, name }: DocumentStory,
  write: DocumentWrite,
  place: PlacedTransaction | undefined,
  places: readonly PlacedTransaction[],
): void {
  const { source, host, disk, operations, finalVerdict } = write;
  const isOut = source !== undefined && evicted.has(source);
  const isHere = place !== undefined && (operations === "put" || places.includes(place));
  if (!isHere) {
    if (isLost(host, disk) && place === undefined) return;
    if (isOut && (places.length > 0 || operations === "put")) return;
    throw new SimulationError(
      `P1: acknowledged and not there: ${textOf(write)}; under its Id ${place === undefined ? `there is nothing in ${name}` : `stands ${placeText(place)}`}`,
    );
  }
  if (operations !== "put" && canonicalText(place.operations) !== canonicalText(operations))
    throw new SimulationError(`P1: ${textOf(write)} has become ${placeText(place)}`);
  if (finalVerdict === undefined || !finalsHold) return;
  if (JSON.stringify(finalVerdict) !== JSON.stringify(place.verdict))
    throw new SimulationError(
      `I6: ${textOf(write)} was told ${JSON.stringify(finalVerdict)} as final; it is ${placeText(place)}`,
    );
}

/** Writers' words, and where they stand. */
function wordsOf(history: readonly PlacedTransaction[]): Map<string, PlacedTransaction[]> {
  const found = new Map<string, PlacedTransaction[]>();
  for (const place of history) {
    if (place.kind === "record") continue;
    const words = new Set(JSON.stringify(place.operations).match(/(?<=")w-\d+(?=")/g));
    for (const word of words) {
      const places = found.get(word) ?? [];
      places.push(place);
      found.set(word, places);
    }
  }
  return found;
}
