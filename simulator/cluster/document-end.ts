/**
 * When all is healed: the documents of all nodes become equal and all of them final, within bounded time. Members whose disks are gone are evicted, as an operator would.
 */
import type { Clock } from "../../src/base/clock.ts";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import type {
  DocumentStatus,
  HistoryPage,
  PlacedTransaction,
} from "../../src/documents/vocabulary.ts";
import type { Trace } from "./trace.ts";
import { SimulationError } from "../node-state.ts";
import type { DocumentNodes } from "./document-nodes.ts";

/** Of one document at one node, when all is over. */
export interface DocumentAtEnd {
  readonly host: number;
  readonly text: string;
  readonly status: DocumentStatus;
  readonly history: readonly PlacedTransaction[];
}

/** A link that hears nothing is given up after 10 s and dialed again within 30 s; then a member that was evicted comes back, and all that twice. */
const convergeMaxMs = 120_000;
const lookEveryMs = 250;
const askAgainMs = 5_000;

export class DocumentEnd {
  readonly #clock: Clock;
  readonly #trace: Trace;
  readonly #nodes: DocumentNodes;
  readonly #names: readonly string[];
  readonly #pass: (ms: number) => Promise<void>;
  /** What the operator has asked for, and when he will ask again. */
  readonly #asked = new Map<string, number>();
  #failed: SimulationError | undefined;
  /** Why a document could not be read. */
  #trouble = "";

  constructor(parts: {
    clock: Clock;
    trace: Trace;
    nodes: DocumentNodes;
    names: readonly string[];
    pass: (ms: number) => Promise<void>;
  }) {
    this.#clock = parts.clock;
    this.#trace = parts.trace;
    this.#nodes = parts.nodes;
    this.#names = parts.names;
    this.#pass = parts.pass;
  }

  /** `plainWrote`: how many transactions the plain peer has written, all of which must arrive. Throws SimulationError. */
  async require(plainWrote: number): Promise<ReadonlyMap<string, readonly DocumentAtEnd[]>> {
    const startedMs = this.#clock.monotonicMs();
    const found = new Map<string, readonly DocumentAtEnd[]>();
    for (const name of this.#names) {
      let why = "";
      for (;;) {
        const ends = await this.#driven(this.#look(name));
        why = ends === undefined ? this.#trouble : whyNotEqual(name, ends, plainWrote);
        if (ends !== undefined && why === "") {
          const whole = await this.#driven(this.#withHistory(name, ends));
          if (whole !== undefined) {
            found.set(name, whole);
            break;
          }
          why = "its history is not read";
        }
        if (this.#clock.monotonicMs() - startedMs > convergeMaxMs)
          throw new SimulationError(
            `liveness: ${convergeMaxMs / 1_000} s after all was healed document ${name} is not equal and final everywhere: ${why}`,
          );
        if (ends !== undefined) this.#evictLost(name, ends);
        await this.#pass(lookEveryMs);
      }
    }
    return found;
  }

  /** A document on all nodes, without its history; none: nobody has it; `undefined`: one of them does not answer. */
  async #look(name: string): Promise<DocumentAtEnd[] | undefined> {
    const ends: DocumentAtEnd[] = [];
    let absent = 0;
    this.#trouble = "a node does not answer";
    for (const host of this.#nodes.hosts) {
      const documents = host.node?.documents;
      if (documents === undefined) return undefined;
      try {
        const { text } = await documents.read(name);
        const status = await documents.status(name);
        ends.push({ host: host.number, text, status, history: [] });
      } catch (error) {
        if (!(error instanceof TrubaError)) throw error;
        this.#trouble = `it cannot be read at h${host.number}: ${error.code} ${error.message}`;
        if (error.code !== "NODOCUMENT") return undefined;
        absent++;
      }
    }
    return absent === 0 || ends.length === 0 ? ends : undefined;
  }

  async #withHistory(name: string, ends: readonly DocumentAtEnd[]): Promise<DocumentAtEnd[]> {
    const whole: DocumentAtEnd[] = [];
    for (const end of ends) {
      const history: PlacedTransaction[] = [];
      for (let from: number | undefined = 1; from !== undefined;) {
        const page: HistoryPage = await must(this.#nodes.on(end.host)).history(name, {
          from,
          count: limits.documentHistoryMaxCount,
        });
        history.push(...page.transactions);
        from = page.next;
      }
      whole.push({ ...end, history });
    }
    return whole;
  }

  /** Members that no node is any more are evicted by one that is not about to be evicted itself; again after a while, for who had to answer may be gone as well. */
  #evictLost(name: string, ends: readonly DocumentAtEnd[]): void {
    const alive = new Set(ends.map(({ status }) => status.source));
    const members = ends.flatMap(({ status }) => status.members);
    const leaving = new Set(
      members.filter(({ cut }) => cut !== undefined).map(({ source }) => source),
    );
    const lost = new Set(
      members
        .filter(({ source, kind }) => kind === "truba" && !alive.has(source))
        .map(({ source }) => source),
    );
    const able = ends.filter(({ status }) => !leaving.has(status.source));
    for (const source of lost) {
      // Not all know all of them: a node that has taken a new name is known by whom it has met under it.
      const end = able.find(({ status }) => status.members.some((one) => one.source === source));
      if (end !== undefined) this.#evict(name, source, end.host);
    }
  }

  #evict(name: string, source: string, host: number): void {
    const key = `${name} ${source}`;
    const nowMs = this.#clock.monotonicMs();
    if ((this.#asked.get(key) ?? 0) > nowMs) return;
    this.#asked.set(key, nowMs + askAgainMs);
    this.#trace.say("client", -1, `${source} is to be evicted from ${name} by h${host}`);
    must(this.#nodes.on(host))
      .evict(name, source)
      .catch((error: unknown) => {
        if (error instanceof TrubaError) return;
        this.#failed ??= new SimulationError(String(error), { cause: error });
      });
  }

  /** Lets time pass until the promise settles. */
  async #driven<T>(promise: Promise<T>): Promise<T | undefined> {
    const state = { settled: false };
    const settle = (): void => {
      state.settled = true;
    };
    promise.then(settle, settle);
    for (let turns = 0; turns < 400; turns++) {
      if (this.#failed !== undefined) throw this.#failed;
      await this.#pass(turns < 20 ? 1 : 25);
      if (state.settled) return promise;
    }
    return undefined;
  }
}

/** Empty: they are equal, and all of them final. */
function whyNotEqual(name: string, ends: readonly DocumentAtEnd[], plainWrote: number): string {
  const [first] = ends;
  if (first === undefined) return "";
  for (const { host, text, status } of ends) {
    const { vclock, hash, transactions, final } = status.view;
    const here = `${JSON.stringify(vclock)} ${hash.slice(0, 8)}`;
    const there = `${JSON.stringify(first.status.view.vclock)} ${first.status.view.hash.slice(0, 8)}`;
    if (!isEqual(vclock, first.status.view.vclock) || text !== first.text)
      return `h${host} has ${here}, h${first.host} has ${there}`;
    if (transactions !== final)
      return `h${host} (${status.source}) has ${here}, ${final} of ${transactions} are final, frontier ${JSON.stringify(status.frontier)}, members ${JSON.stringify(status.members)}`;
    if (status.agreement !== "converged")
      return `h${host} (${status.source}) says ${status.agreement}; it has ${here}, members ${JSON.stringify(status.members)}`;
    if (name === "default" && (vclock["plain"] ?? 0) < plainWrote)
      return `h${host} has ${vclock["plain"] ?? 0} of ${plainWrote} transactions of the plain peer`;
  }
  return "";
}

function isEqual(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
