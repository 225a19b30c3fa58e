/** A node whose documents are tested: on a disk in memory unless another is given, with a clock that moves by itself. */
import assert from "node:assert/strict";
import type { Environment } from "../../src/base/environment.ts";
import type { FileSystem } from "../../src/base/file-system.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import type { Documents } from "../../src/documents/documents.ts";
import type { DocumentEvent, DocumentListener } from "../../src/documents/vocabulary.ts";
import { limits } from "../../src/base/limits.ts";
import { Node, type NodeOptions } from "../../src/node/node.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";

export interface World {
  readonly files: FileSystem;
  open(options?: Partial<NodeOptions>): Promise<Node>;
}

export function openWorld(files: FileSystem = new MemoryFileSystem(), name = "a"): World {
  let runs = 0;
  return {
    files,
    open: (options = {}) => {
      runs++;
      const environment: Environment = {
        clock: new SystemClock(),
        random: new SeededRandom(runs),
        files,
        network: new NodeNetwork(),
        logger: silentLogger,
      };
      return Node.open(environment, {
        dataDirectory: "data",
        name,
        partitions: 1,
        walSegmentBytes: 1_048_576,
        ...options,
      });
    },
  };
}

/** Brings to `to` what it lacks of a document, as a link would, and what is said of clocks. */
export async function carry(from: Documents, to: Documents, name: string): Promise<void> {
  const head = from.head(name);
  if (head === undefined) return;
  const sender = { source: from.sourceOf(name), kind: "truba" } as const;
  for (const source of Object.keys(head.vclock)) {
    for (;;) {
      const count = to.head(name)?.vclock[source] ?? 0;
      const transactions = await from.after(name, source, count, 65_536);
      if (transactions.length === 0) break;
      await to.receive(name, transactions, sender);
    }
  }
  const own = from.clockFor(name);
  if (own !== undefined) to.heard(name, new Map([[own.source, own]]));
  to.memberSaid(name, sender.source, head.vclock, head.hash ?? null);
}

/** A listener that keeps what it is told, and holds the document as a watcher would. */
export class Follower implements DocumentListener {
  readonly events: DocumentEvent[] = [];
  /** Says so of itself when it is asked. */
  isReady = true;
  error: Error | undefined;
  #tree = new Tree({});

  event(event: DocumentEvent): void {
    this.events.push(event);
    if (event.kind === "snapshot") {
      this.#tree = new Tree(JSON.parse(event.text) as Json);
      return;
    }
    const failure = this.#tree.apply(decodePatch(event.operations), undefined, {
      upsert: false,
      maxWeight: limits.documentMaxBytes,
    });
    assert.equal(
      failure,
      undefined,
      `a change that a watcher is told never fails: ${JSON.stringify(event)}`,
    );
  }

  ready(): boolean {
    return this.isReady;
  }

  ended(error: Error): void {
    this.error = error;
  }

  get text(): string {
    return canonicalText(this.#tree.value);
  }
}

/** Waits until the condition holds; fails when it does not within two seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turns = 0; turns < 2_000; turns++) {
    if (condition()) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  assert.fail(`not within two seconds: ${what}`);
}
