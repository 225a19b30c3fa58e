/** A node of the random histories: a replica, and an owner that keeps what it answers, restarts it, and builds it anew when it asks for that. */
import assert from "node:assert/strict";
import type { Clock } from "../../src/base/clock.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import type { FoldChange } from "../../src/documents/fold-change.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import type { StoredTransaction } from "../../src/documents/ledger.ts";
import type { ReplicaBase } from "../../src/documents/replica-base.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { Source } from "../../src/documents/vocabulary.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import { Undo } from "../../src/patch/undo.ts";
import { Watch } from "./replica-invariants.ts";

/** A node: a replica, and what its owner has on disk. */
export class TestNode {
  readonly clock: HybridClock;
  readonly lenient: boolean;
  readonly watch: Watch;
  stored: StoredTransaction[] = [];
  /** As text, as it is on disk. */
  base: string | undefined;
  replica: Replica;
  rebuilds = 0;
  late = 0;
  lost = 0;
  #source: Source;
  readonly #known = new Set<Source>();
  readonly #maxTail: number | undefined;

  constructor(
    source: Source,
    options: {
      readonly wall: Clock;
      readonly lenient?: boolean;
      readonly maxTail?: number;
      readonly known?: boolean;
    },
  ) {
    this.watch = new Watch(options.known ?? true);
    this.#source = source;
    this.#maxTail = options.maxTail;
    this.lenient = options.lenient ?? false;
    this.clock = new HybridClock(options.wall);
    this.replica = this.#open();
    this.replica.restored();
  }

  get source(): Source {
    return this.replica.source;
  }

  issue(operations: readonly Json[]): boolean {
    const before = this.replica.text();
    const issued = this.replica.issue(operations);
    if (issued.kind === "rejected") {
      assert.equal(this.replica.text(), before, "a patch that fails changes nothing");
      return false;
    }
    this.stored.push(...issued.transactions);
    this.told(before, issued.change);
    return true;
  }

  /** Own records, made by `make`. */
  record(
    make: (replica: Replica) => { readonly transactions: readonly StoredTransaction[] },
  ): void {
    this.stored.push(...make(this.replica).transactions);
  }

  /** Its owner remembers that. */
  join(source: Source): void {
    this.#known.add(source);
    this.replica.join(source);
  }

  receive(transactions: readonly WireTransaction[], from: "truba" | "plain"): void {
    const before = this.replica.text();
    const clock = this.replica.vclock;
    let received = this.replica.receive(transactions, from);
    if (received.belowBase) {
      assert.equal(this.replica.text(), before, "belowBase: it shows what it showed");
      assert.deepEqual(this.replica.vclock, clock);
      for (let times = 0; received.belowBase; times++) {
        assert.ok(times < 4, "each rebuild knows another cut");
        this.rebuild();
        received = this.replica.receive(transactions, from);
      }
    } else this.told(before, received.change);
    this.late += received.late;
    this.stored.push(...received.accepted, ...received.issued);
    if (this.replica.isEvicted) this.#returnUnderNewName();
  }

  settle(): void {
    this.replica.settle();
  }

  checkpoint(trim: boolean): void {
    this.base = JSON.stringify(this.replica.base());
    if (trim) this.replica.trim();
  }

  restart(): void {
    const { replica } = this;
    const before = {
      text: replica.text(),
      vclock: replica.vclock,
      transactions: replica.transactions,
    };
    this.watch.restarted();
    this.replica = this.#open(this.base);
    this.replica.restore(this.stored);
    if (this.replica.restored().belowBase) this.rebuild();
    for (const source of this.#known) this.replica.join(source);
    assert.equal(this.replica.text(), before.text, "a restart changes nothing");
    assert.deepEqual(this.replica.vclock, before.vclock);
    assert.equal(this.replica.transactions, before.transactions);
  }

  rebuild(): void {
    this.rebuilds++;
    this.base = undefined;
    const next = Replica.successor(this.replica);
    next.restore(this.stored);
    assert.ok(!next.restored().belowBase, "all of history is enough");
    this.replica = next;
  }

  look(thorough: boolean): void {
    this.watch.look(this.replica, thorough);
  }

  /** What watchers are told leads from what they had to what is. */
  told(before: string, change: FoldChange): void {
    if (change.operations === undefined) return;
    const tree = new Tree(JSON.parse(before) as Json);
    const failure = tree.apply(decodePatch(change.operations), new Undo(), {
      upsert: false,
      maxWeight: Infinity,
    });
    assert.equal(failure, undefined, "what watchers are told never fails");
    assert.equal(
      canonicalText(tree.value),
      this.replica.text(),
      "what watchers are told leads to what is",
    );
  }

  wire(transaction: StoredTransaction): WireTransaction {
    const { source, id, payload, zeroBased } = transaction;
    return { source, id: zeroBased === true ? id - 1 : id, payload };
  }

  #returnUnderNewName(): void {
    this.#source = `${this.#source}'`;
    this.replica.rename(this.#source);
    const before = this.replica.text();
    const { transactions, lost, change } = this.replica.reissue();
    this.told(before, change);
    this.stored.push(...transactions);
    this.lost += lost.length;
  }

  #open(base?: string): Replica {
    return new Replica({
      name: "d",
      source: this.#source,
      lenient: this.lenient,
      clock: this.clock,
      ...(base === undefined ? {} : { base: JSON.parse(base) as ReplicaBase }),
      ...(this.#maxTail === undefined ? {} : { maxTail: this.#maxTail }),
    });
  }
}
