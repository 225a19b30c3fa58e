/** Asking for transactions: backwards from a place, through filters, and by name. The node answers forwards and in pages that end early where patches are large. */
import { addressOf, askJson } from "./asking.js";
import { pointerOf, tokensOf, valueAt } from "./patching.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("../../src/documents/vocabulary.ts").PlacedTransaction} PlacedTransaction
 * @typedef {import("../../src/documents/vocabulary.ts").HistoryPage} HistoryPage
 * @typedef {{ readonly source: string, readonly verdict: string }} Filter empty: all
 * @typedef {{ transactions: PlacedTransaction[], from: number, total: number, final: number }} Stretch newest first; from: the first place that was looked at
 */

/** Of a filtered history so many places are looked at in one request, and so many requests made for one page. */
const stretchMaxCount = 1_000;
const requestsMaxCount = 10;

/**
 * At most `count` transactions at or before the place `end`, newest first. With a filter it looks back over some thousand places and no further.
 * @param {string} name
 * @param {{ end: number, count: number, filter: Filter, signal?: AbortSignal }} wanted
 * @returns {Promise<Stretch>}
 */
export async function stretchBefore(name, { end, count, filter, signal }) {
  const isFiltered = filter.source !== "" || filter.verdict !== "";
  const step = isFiltered ? stretchMaxCount : count;
  /** @type {PlacedTransaction[]} */
  const transactions = [];
  let from = end + 1;
  let total = end;
  let final = 0;
  for (
    let tries = 0;
    tries < requestsMaxCount && from > 1 && transactions.length < count;
    tries++
  ) {
    const until = from - 1;
    from = Math.max(1, until - step + 1);
    const read = await readRange(name, {
      from,
      until,
      filter,
      ...(signal === undefined ? {} : { signal }),
    });
    ({ total, final } = read);
    transactions.push(...read.transactions.toReversed());
  }
  if (transactions.length > count) {
    transactions.length = count;
    from = transactions.at(-1)?.position ?? from;
  }
  return { transactions, from, total, final };
}

/**
 * The transaction of this name, if it is among the last some thousand of its author's.
 * @param {string} name
 * @param {{ readonly source: string, readonly id: number }} wanted
 * @param {number} total
 */
export async function findTransaction(name, { source, id }, total) {
  let end = total;
  for (let tries = 0; tries < requestsMaxCount && end > 0; tries++) {
    const from = Math.max(1, end - stretchMaxCount + 1);
    const read = await readRange(name, { from, until: end, filter: { source, verdict: "" } });
    const found = read.transactions.find((each) => each.source === source && each.id === id);
    if (found !== undefined) return found;
    end = from - 1;
  }
  return undefined;
}

/**
 * Who wrote what stands at the pointer, by the paths of the operations: the last transaction that wrote there, above it or below it. Elements that were appended to a list are counted from
 * its end; what else was put in or taken out of a list before the pointer is not followed.
 * @param {string} name
 * @param {string} pointer
 * @param {{ value: Json, transactions: number }} present
 * @param {AbortSignal} signal
 */
export async function lastWriter(name, pointer, present, signal) {
  const total = present.transactions;
  const writes = writerOf(pointer, present.value);
  let end = total;
  for (let tries = 0; tries < requestsMaxCount && end > 0; tries++) {
    const from = Math.max(1, end - stretchMaxCount + 1);
    const filter = { source: "", verdict: "ok" };
    const read = await readRange(name, { from, until: end, filter, signal });
    const found = read.transactions.findLast(writes);
    if (found !== undefined) return { found, searched: total - from + 1 };
    end = from - 1;
  }
  return { found: undefined, searched: total - end };
}

/**
 * Whether a transaction wrote at the pointer; to be asked of the newest first.
 * @param {string} pointer
 * @param {Json} value
 */
function writerOf(pointer, value) {
  const tokens = tokensOf(pointer);
  const last = tokens.pop();
  const parent = last === undefined ? undefined : valueAt(value, tokens);
  const append = `${pointerOf(tokens)}/-`;
  let behind = Array.isArray(parent) ? parent.length - 1 - Number(last) : 0;
  return (/** @type {PlacedTransaction} */ { operations, kind }) => {
    if (kind === "record") return false;
    return operations.toReversed().some((each) => {
      const { op, path, from } = /** @type {{ op: string, path: string, from?: string }} */ (each);
      if (op === "test") return false;
      if (path === append) return behind-- === 0;
      return [path, op === "move" ? from : undefined].some(
        (one) => one !== undefined && (isAtOrUnder(pointer, one) || isAtOrUnder(one, pointer)),
      );
    });
  };
}

/**
 * @param {string} pointer
 * @param {string} above
 */
function isAtOrUnder(pointer, above) {
  return pointer === above || pointer.startsWith(`${above}/`);
}

/**
 * @param {string} name
 * @param {{ from: number, until: number, filter: Filter, signal?: AbortSignal }} range
 * @returns {Promise<{ transactions: PlacedTransaction[], total: number, final: number }>}
 */
async function readRange(name, { from, until, filter, signal }) {
  /** @type {PlacedTransaction[]} */
  const transactions = [];
  let next = from;
  for (;;) {
    const query = new URLSearchParams({ from: String(next), count: String(until - next + 1) });
    if (filter.source !== "") query.set("source", filter.source);
    if (filter.verdict !== "") query.set("verdict", filter.verdict);
    const page = /** @type {HistoryPage} */ (
      await askJson(addressOf(name, `/history?${query}`), signal === undefined ? {} : { signal })
    );
    transactions.push(...page.transactions.filter(({ position }) => position <= until));
    if (page.next === undefined || page.next > until || page.next <= next)
      return { transactions, total: page.total, final: page.final };
    next = page.next;
  }
}
