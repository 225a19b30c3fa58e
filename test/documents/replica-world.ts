/**
 * A small world of replicas and plain peers, driven step by step from a seed: patches of all kinds, deliveries in any order with duplicates and gaps, restarts, heartbeats. Every step is looked at by
 * `replica-invariants.ts`; `expected` is a second, simple-minded telling of what the document must be.
 */
import assert from "node:assert/strict";
import { limits } from "../../src/base/limits.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import type { StoredTransaction } from "../../src/documents/ledger.ts";
import { decodePayload } from "../../src/documents/payload.ts";
import type { Source } from "../../src/documents/vocabulary.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import { Tree } from "../../src/patch/tree.ts";
import { Undo } from "../../src/patch/undo.ts";
import { randomPatch } from "./random-patches.ts";
import { sameEverywhere } from "./replica-invariants.ts";
import { TestNode } from "./replica-node.ts";

/** A plain peer: a list of its own transactions, which it sends whole on every connection. */
export class PlainPeer {
  readonly source: Source;
  readonly first: number;
  readonly log: WireTransaction[] = [];

  constructor(source: Source, first: 0 | 1) {
    this.source = source;
    this.first = first;
  }

  issue(payload: string): void {
    this.log.push({ source: this.source, id: this.first + this.log.length, payload });
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly plain: number;
  readonly steps: number;
  readonly lenient: boolean;
  readonly maxTail?: number;
  /** All nodes are members from the start. */
  readonly known: boolean;
  /** So many nodes are cut off half way, are evicted by the others, and return at the end. */
  readonly evicted?: number;
}

export class World {
  readonly random: SeededRandom;
  readonly nodes: TestNode[] = [];
  readonly peers: PlainPeer[] = [];
  readonly #options: WorldOptions;
  readonly #walls: VirtualClock[] = [];
  /** Cut off from the others. */
  readonly #away = new Set<TestNode>();

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed);
    const { lenient, maxTail } = options;
    for (let at = 0; at < options.nodes; at++) {
      // Wall clocks that differ by up to a minute.
      const wall = new VirtualClock(1_000_000_000_000 + randomBelow(this.random, 60_000));
      this.#walls.push(wall);
      this.nodes.push(
        new TestNode(`n${at}`, {
          wall,
          lenient,
          known: options.known,
          ...(maxTail === undefined ? {} : { maxTail }),
        }),
      );
    }
    for (let at = 0; at < options.plain; at++)
      this.peers.push(new PlainPeer(`p${at}`, chance(this.random, 0.5) ? 0 : 1));
    if (!options.known) return;
    for (const node of this.nodes)
      for (const { source } of this.nodes) if (source !== node.source) node.join(source);
  }

  run(): void {
    const { steps, evicted = 0 } = this.#options;
    for (let step = 0; step < steps; step++) {
      if (evicted > 0 && step === Math.floor(steps / 2)) this.#cutOff(evicted);
      this.step();
      const thorough = chance(this.random, 0.2);
      for (const node of this.nodes) node.look(thorough);
    }
  }

  step(): void {
    const { random } = this;
    const node = this.any(this.nodes);
    const other = this.any(
      this.nodes.filter((one) => this.#away.has(one) === this.#away.has(node)),
    );
    switch (randomBelow(random, 12)) {
      case 0:
      case 1:
      case 2:
        for (let count = 1 + randomBelow(random, 4); count > 0; count--)
          node.issue(randomPatch(random, node.replica.value));
        return;
      case 3:
        if (this.peers.length === 0) return;
        for (let count = 1 + randomBelow(random, 3); count > 0; count--)
          this.any(this.peers).issue(this.#plainPayload());
        return;
      case 4:
        if (this.peers.length > 0) this.connectPlain(this.any(this.peers), node);
        return;
      case 5:
      case 6:
      case 7:
        if (node !== other) this.deliver(node, other);
        return;
      case 8:
        if (node !== other) this.beat(node, other);
        node.settle();
        return;
      case 9:
        node.settle();
        if (chance(random, 0.5)) node.checkpoint(chance(random, 0.5));
        return;
      case 10:
        if (chance(random, 0.3)) node.restart();
        return;
      default:
        for (const wall of this.#walls) void wall.advance(randomBelow(random, 1_000));
    }
  }

  /** Some of what one node has and, maybe, the other has not: with gaps, twice, in any order. */
  deliver(from: TestNode, to: TestNode): void {
    const { random } = this;
    let some = from.stored.filter(
      ({ source, id }) => id > (to.replica.vclock[source] ?? 0) || chance(random, 0.05),
    );
    some = some.slice(0, 1 + randomBelow(random, 20));
    if (chance(random, 0.3)) some = some.filter(() => chance(random, 0.8));
    if (chance(random, 0.3)) some.push(...some.slice(0, randomBelow(random, 3)));
    if (chance(random, 0.3)) shuffle(random, some);
    const wires = some.map((transaction) => from.wire(transaction));
    to.receive(
      wires.filter((wire, at) => !this.#isEarly(to, wire, wires.slice(0, at))),
      "truba",
    );
  }

  /** The first Id of a plain peer tells how it counts: nodes send none before that, and connections keep their order. */
  #isEarly(
    to: TestNode,
    { source, id }: WireTransaction,
    before: readonly WireTransaction[],
  ): boolean {
    const first = this.peers.find((peer) => peer.source === source)?.first ?? id;
    if (id === first || (to.replica.vclock[source] ?? 0) > 0) return false;
    return !before.some((wire) => wire.source === source && wire.id === first);
  }

  /** The plain peer's log up to some point, as it is sent on every connection. */
  connectPlain(peer: PlainPeer, node: TestNode): void {
    node.receive(peer.log.slice(0, randomBelow(this.random, peer.log.length + 1)), "plain");
  }

  /** One tells the other its clock. */
  beat(from: TestNode, to: TestNode): void {
    const clock = from.clock.now();
    from.replica.promised(clock);
    to.replica.heard(from.source, clock, from.replica.vclock[from.source] ?? 0);
    to.replica.memberHas(from.source, from.replica.vclock);
  }

  /** Some are gone for good, as far as the others can tell; any of these asks for it, or several do. */
  #cutOff(count: number): void {
    for (const node of this.nodes.slice(0, count)) this.#away.add(node);
    const others = this.nodes.slice(count);
    for (const { source } of this.#away) {
      const asker = this.any(others);
      asker.record((replica) => replica.evict(source));
      if (chance(this.random, 0.3)) this.any(others).record((replica) => replica.evict(source));
    }
  }

  /** Everything reaches everybody, in both meanings. */
  heal(): void {
    if (this.#away.size > 0) this.#agree();
    this.#away.clear();
    const [first] = this.nodes;
    for (const peer of this.peers) if (first !== undefined) first.receive(peer.log, "plain");
    for (let round = 0; round < 8; round++) this.#exchange();
    for (let round = 0; round < 2; round++) {
      for (const from of this.nodes)
        for (const to of this.nodes) if (from !== to) this.beat(from, to);
      for (const node of this.nodes) node.settle();
    }
  }

  /** Those who are left find the cut, and come to the end of what is not final without those who are gone. */
  #agree(): void {
    const gone = [...this.#away].map(({ source }) => source);
    const left = this.nodes.filter((node) => !this.#away.has(node));
    for (let round = 0; round < 8; round++) this.#exchange();
    // Each of two requests may have named the other's member as one who must answer: a person asks again.
    for (const source of gone)
      for (const node of left) node.record((replica) => replica.evict(source));
    for (let round = 0; round < 8; round++) this.#exchange();
    const [first] = left;
    for (const source of gone) {
      const cut = first?.replica.cutOf(source);
      assert.ok(cut !== undefined, `all who are left have answered for ${source}`);
      for (const { replica } of left) {
        assert.equal(replica.cutOf(source), cut, "the cut is the same everywhere");
        assert.equal(replica.vclock[source] ?? 0, cut, "all fetch up to the cut");
      }
    }
    for (let round = 0; round < 2; round++) {
      for (const from of left) for (const to of left) if (from !== to) this.beat(from, to);
      for (const node of left) node.settle();
    }
    for (const { replica } of left)
      assert.equal(replica.final, replica.transactions, "who is evicted holds nothing back");
    sameEverywhere(left.map(({ replica }) => replica));
  }

  #exchange(): void {
    for (const from of this.nodes)
      for (const to of this.nodes) {
        if (from === to || this.#away.has(from) !== this.#away.has(to)) continue;
        const lacks = from.stored.filter(({ source, id }) => id > (to.replica.vclock[source] ?? 0));
        to.receive(
          lacks.map((transaction) => from.wire(transaction)),
          "truba",
        );
      }
  }

  any<T>(list: readonly T[]): T {
    const one = list[randomBelow(this.random, list.length)];
    assert.ok(one !== undefined);
    return one;
  }

  #plainPayload(): string {
    const garbage = [
      "",
      "{}",
      "null",
      "[1]",
      "[",
      '[{"op":"add"}]',
      '[{"op":"add","path":"a","value":1}]',
      "[]",
      '[{"op":"add","path":"/x","value":1e999}]',
      '[{"op":"test","path":"","value":1,"~":{"t":"now"}}]',
    ];
    if (chance(this.random, 0.15)) return this.any(garbage);
    return JSON.stringify(randomPatch(this.random, this.any(this.nodes).replica.value));
  }
}

function shuffle(random: SeededRandom, list: unknown[]): void {
  for (let at = list.length - 1; at > 0; at--) {
    const other = randomBelow(random, at + 1);
    const [a, b] = [list[at], list[other]];
    assert.ok(a !== undefined && b !== undefined);
    list[at] = b;
    list[other] = a;
  }
}

interface Simple {
  readonly source: Source;
  readonly id: number;
  readonly payload: string;
  ms: number;
  counter: number;
  own: boolean;
}

/** The order, the verdicts and the document, told anew from the transactions alone, without any of the replica's code but for patches and payloads. */
export function expected(
  stored: readonly StoredTransaction[],
  lenient: boolean,
): { readonly order: string[]; readonly text: string } {
  const all: Simple[] = [];
  for (const { source, id, payload } of [...stored].sort((a, b) => a.id - b.id)) {
    const stamp = decodePayload(payload).metadata?.stamp;
    const before = all.find((one) => one.source === source && one.id === id - 1);
    const inherits = stamp === undefined && before?.own === true;
    all.push({
      source,
      id,
      payload,
      ms: stamp?.ms ?? (inherits ? before.ms : Infinity),
      counter: stamp?.counter ?? (inherits ? before.counter : 0),
      own: stamp !== undefined || inherits,
    });
  }
  for (const adopter of all)
    for (const { source, first, last } of decodePayload(adopter.payload).metadata?.adopted ?? [])
      for (const one of all) {
        if (one.own || one.source !== source || one.id < first || one.id > last) continue;
        if (one.ms < adopter.ms || (one.ms === adopter.ms && one.counter <= adopter.counter))
          continue;
        one.ms = adopter.ms;
        one.counter = adopter.counter;
      }
  const key = ({ ms, counter, source, id }: Simple) =>
    `${ms === Infinity ? "~" : String(ms).padStart(20, "0")} ${String(counter).padStart(20, "0")} ${source} ${String(id).padStart(20, "0")}`;
  all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const tree = new Tree({});
  const order: string[] = [];
  for (const { source, id, payload } of all) {
    const { patch, malformed, metadata } = decodePayload(payload);
    const isRecord = metadata?.adopted ?? metadata?.eviction ?? metadata?.frozen;
    const failure =
      isRecord !== undefined
        ? undefined
        : tree.apply(patch, new Undo(), { upsert: lenient, maxWeight: limits.documentMaxBytes });
    const bad = malformed === undefined ? failure : { reason: "malformed", operation: 0 };
    order.push(`${source}:${id} ${bad === undefined ? "ok" : `${bad.reason}@${bad.operation}`}`);
  }
  return { order, text: canonicalText(tree.value) };
}
