/** Writers of documents: each writes a patch at some node, waits for the answer, thinks, and writes again. Nodes that live are evicted now and then, if the run has it so. */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Accepted } from "../../src/documents/vocabulary.ts";
import type { DocumentNodes } from "./document-nodes.ts";
import type { DocumentShape } from "./document-shape.ts";
import { drawOperations } from "./document-write.ts";
import type { DocumentWrite } from "./document-write.ts";
import { drawInterval, pick } from "./swarm.ts";
import type { Trace } from "./trace.ts";

export interface DocumentWorkloadParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly nodes: DocumentNodes;
  readonly shape: DocumentShape;
  /** A node is about to be evicted under this name. */
  readonly evicting: (document: string) => void;
  /** What the node says is final stays so, if nobody new comes. */
  readonly knowsAll: (host: number, document: string) => boolean;
}

/** After so long a writer does not wait any more. */
const patienceMs = 8_000;

/** Nothing was done, and nothing will be. */
const refusals: ReadonlySet<string> = new Set(["PATCHFAILED", "HASHCONFLICT", "BADPATCH"]);

export class DocumentWorkload {
  readonly writes: DocumentWrite[] = [];
  /** Documents, and the names that were evicted while their nodes lived. */
  readonly evicted: { readonly document: string; readonly source: string }[] = [];
  readonly #parts: DocumentWorkloadParts;
  /** Documents of which an eviction has begun and not ended, as far as anybody was told. */
  readonly #evicting = new Set<string>();
  #stopped = false;

  constructor(parts: DocumentWorkloadParts) {
    this.#parts = parts;
  }

  start(): void {
    const { shape } = this.#parts;
    for (let writer = 0; writer < shape.writers; writer++) this.#think();
    if (shape.evictEveryMs > 0) this.#planEviction();
  }

  /** No more writes. What has no answer by now is not known. */
  stop(): void {
    this.#stopped = true;
  }

  #think(): void {
    const { clock, random, shape } = this.#parts;
    clock.after((shape.thinkMaxMs * randomBelow(random, 1_001)) / 1_000, () => {
      if (this.#stopped || this.writes.length >= shape.writesMaxCount) return;
      this.#write();
    });
  }

  #write(): void {
    const { clock, random, trace, nodes, shape } = this.#parts;
    const { up } = nodes;
    if (up.length === 0) {
      this.#think();
      return;
    }
    const host = pick(random, up);
    const document = pick(random, shape.names);
    const word = `w-${this.writes.length + 1}`;
    const safe = shape.evictEveryMs > 0;
    const puts = !safe && chance(random, 0.04);
    const operations = puts ? "put" : drawOperations(random, word, safe);
    const disk = nodes.disk(host);
    const write: DocumentWrite = { word, document, host, disk, operations, fate: "open" };
    this.writes.push(write);
    const untilFinal = chance(random, shape.finalShare);
    const counts = untilFinal && this.#parts.knowsAll(host, document);
    const state = { over: false };
    const end = (): void => {
      if (state.over) return;
      state.over = true;
      timer.cancel();
      trace.say("client", -1, textOf(write));
      this.#think();
    };
    const timer = clock.after(patienceMs, end);
    this.#perform(write, untilFinal).then(
      (accepted) => {
        answered(write, accepted, counts);
        end();
      },
      (error: unknown) => {
        if (!(error instanceof TrubaError)) throw error;
        write.fate = refusals.has(error.code) ? "failed" : "unknown";
        if (write.fate === "unknown") write.trouble = `${error.code} ${error.message}`;
        end();
      },
    );
  }

  async #perform(write: DocumentWrite, untilFinal: boolean): Promise<Accepted> {
    const { document, word, operations } = write;
    const documents = must(this.#parts.nodes.on(write.host));
    const options = { untilFinal };
    if (operations === "put")
      return documents.put(document, JSON.stringify({ k0: word, list: [word], map: {} }), options);
    return documents.patch(document, JSON.stringify(operations), options);
  }

  #planEviction(): void {
    const { clock, random, shape } = this.#parts;
    clock.after(drawInterval(random, shape.evictEveryMs), () => {
      if (this.#stopped) return;
      void this.#evict();
      this.#planEviction();
    });
  }

  /** One node has another evicted. */
  async #evict(): Promise<void> {
    const { random, trace, nodes, shape, evicting } = this.#parts;
    const { up } = nodes;
    if (up.length < 2) return;
    const at = randomBelow(random, up.length);
    const host = must(up[at]);
    const victim = must(up[(at + 1 + randomBelow(random, up.length - 1)) % up.length]);
    const document = pick(random, shape.names);
    const source = must(nodes.on(victim)).sourceOf(document);
    if (must(nodes.on(host)).head(document)?.vclock[source] === undefined) return;
    // Two that evict each other at once wait for each other for ever: an operator waits for the one before he asks for the next.
    if (this.#evicting.has(document)) return;
    // Nor does he ask a node that he has evicted and that does not know it yet.
    const asked = must(nodes.on(host)).sourceOf(document);
    if (this.evicted.some((one) => one.document === document && one.source === asked)) return;
    this.#evicting.add(document);
    trace.say("fault", -1, `h${host} evicts ${source} (h${victim}) from ${document}`);
    this.evicted.push({ document, source });
    evicting(document);
    try {
      const cut = await must(nodes.on(host)).evict(document, source);
      this.#evicting.delete(document);
      trace.say("client", -1, `${source} is evicted from ${document}, its cut is ${cut}`);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      trace.say("client", -1, `${source} is not evicted from ${document}: ${error.code}`);
    }
  }
}

function answered(write: DocumentWrite, accepted: Accepted, final: boolean): void {
  write.fate = "acknowledged";
  if (accepted.source !== undefined) write.source = accepted.source;
  if (accepted.id !== undefined) write.id = accepted.id;
  if (final) write.finalVerdict = accepted.verdict;
}

export function textOf(write: DocumentWrite): string {
  const { word, document, host, operations, fate, source, id, trouble } = write;
  const what = operations === "put" ? "put" : JSON.stringify(operations);
  const name = source === undefined ? "" : ` as ${source}:${id}`;
  const why = trouble === undefined ? "" : ` (${trouble})`;
  return `${word} of ${document} at h${host}: ${fate}${name}${why}, ${what}`;
}
