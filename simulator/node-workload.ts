/** What simulated clients ask for: few keys, some much more often than others; conditions that sometimes hold; groups; request ids, and repeats of them. */
import { must } from "../src/base/assert.ts";
import { chance, randomBelow } from "../src/base/random.ts";
import type { Random } from "../src/base/random.ts";
import { formatUuid, makeUuidV4, makeUuidV7 } from "../src/base/uuid.ts";
import { isRefusal } from "./node-simulation.ts";
import type { Issued, NodeSimulation } from "./node-simulation.ts";
import type { PlainOperation, PlainRecordOperation } from "./node-operations.ts";

export interface WorkloadOptions {
  readonly partitions: number;
  readonly keys: number;
  readonly valueMaxBytes: number;
  /** Part of the operations that carry a request id. */
  readonly idProbability: number;
}

interface Asked {
  readonly partition: number;
  readonly operation: PlainOperation;
  readonly requestId: string;
}

/** So many request ids are remembered for repeats. */
const askedMaxCount = 60;

export class Workload {
  readonly #random: Random;
  readonly #options: WorkloadOptions;
  /** Asked for with a request id, the newest last. */
  readonly #asked: Asked[] = [];
  /** Nobody knows whether they were done: their clients will ask again. */
  #unknown: Asked[] = [];
  #issued: Issued[] = [];
  /** The version that a key was last seen with. */
  readonly #versions = new Map<string, number>();

  constructor(random: Random, options: WorkloadOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** One client does one thing. */
  step(simulation: NodeSimulation): void {
    const random = this.#random;
    if (this.#unknown.length > 0 && chance(random, 0.4)) {
      const at = randomBelow(random, this.#unknown.length);
      this.#ask(simulation, must(this.#unknown.splice(at, 1)[0]));
      return;
    }
    if (this.#asked.length > 0 && chance(random, 0.1)) {
      const again = must(this.#asked[randomBelow(random, this.#asked.length)]);
      // Now and then somebody uses an id for something else.
      this.#ask(
        simulation,
        chance(random, 0.1) ? { ...again, operation: this.#operation(again.partition) } : again,
      );
      return;
    }
    const partition = randomBelow(random, this.#options.partitions);
    const operation = this.#operation(partition);
    if (!chance(random, this.#options.idProbability)) {
      this.#note(simulation.issue(partition, operation));
      return;
    }
    this.#ask(simulation, { partition, operation, requestId: this.#requestId(simulation) });
  }

  /** Looks at the answers; to be called when a life has ended, so that what is unknown is asked again. */
  collect(lifeEnded: boolean): void {
    const open: Issued[] = [];
    for (const one of this.#issued) {
      const { outcome, requestId, partition, operation } = one;
      if (outcome === undefined && !lifeEnded) open.push(one);
      if (outcome?.kind === "record" && operation.kind !== "group")
        this.#versions.set(operation.key, outcome.version);
      const unknown = outcome === undefined ? lifeEnded : outcome.kind === "error";
      const forGood = isRefusal(outcome) && outcome.code.startsWith("REQUEST");
      if (unknown && !forGood && requestId !== undefined)
        this.#unknown.push({ partition, operation, requestId });
    }
    this.#issued = open;
  }

  #ask(simulation: NodeSimulation, asked: Asked): void {
    this.#asked.push(asked);
    if (this.#asked.length > askedMaxCount) this.#asked.shift();
    this.#note(simulation.issue(asked.partition, asked.operation, asked.requestId));
  }

  #note(issued: Issued): void {
    this.#issued.push(issued);
  }

  #operation(partition: number): PlainOperation {
    const random = this.#random;
    if (!chance(random, 0.15)) return this.#recordOperation(partition, false);
    const count = 1 + randomBelow(random, 5);
    const operations = Array.from({ length: count }, () => this.#recordOperation(partition, true));
    return { kind: "group", operations };
  }

  #recordOperation(partition: number, inGroup: boolean): PlainRecordOperation {
    const random = this.#random;
    const key = this.#key(partition);
    if (inGroup && chance(random, 0.3)) return { kind: "get", key };
    const seen = this.#versions.get(key) ?? 0;
    if (chance(random, 0.25)) {
      const version = chance(random, 0.3) ? seen : undefined;
      return { kind: "delete", key, version };
    }
    const conditions = ["none", "none", "none", "nx", "xx", "version"] as const;
    // In a group a condition that does not hold ends all; so mostly without.
    const condition =
      inGroup && chance(random, 0.8)
        ? "none"
        : must(conditions[randomBelow(random, conditions.length)]);
    return {
      kind: "set",
      key,
      value: this.#value(),
      condition,
      version: condition === "version" ? (chance(random, 0.8) ? seen : seen + 1) : 0,
      expiryMs: chance(random, 0.15) ? 1_000 * (1 + randomBelow(random, 20)) : 0,
    };
  }

  /** The lower the number, the more often. Some keys have a tag behind the UUID. */
  #key(partition: number): string {
    const random = this.#random;
    const { keys } = this.#options;
    const number = Math.floor(keys * (random.u32() / 2 ** 32) ** 3);
    const uuid = `0000000000004000800000000${partition.toString(16)}${number.toString(16).padStart(6, "0")}`;
    return number % 5 === 3 ? `${uuid}${Buffer.from(`tag-${number}`).toString("hex")}` : uuid;
  }

  #value(): Buffer {
    const random = this.#random;
    const large = chance(random, 0.05);
    const length = randomBelow(random, (large ? this.#options.valueMaxBytes : 200) + 1);
    const value = Buffer.alloc(length);
    let word = random.u32();
    for (let at = 0; at < length; at++) {
      value[at] = word & 0xff;
      word = (Math.imul(word, 0x19660d) + 0x3c6ef35f) >>> 0;
    }
    return value;
  }

  #requestId(simulation: NodeSimulation): string {
    const random = this.#random;
    if (chance(random, 0.2)) return `id-${random.u32().toString(36)}`;
    if (chance(random, 0.1)) return formatUuid(makeUuidV4(random));
    // Clocks of clients are not right.
    const skew = chance(random, 0.1) ? randomBelow(random, 140_000) - 70_000 : 0;
    return formatUuid(makeUuidV7(simulation.wall.wallMs() + skew, random));
  }
}
