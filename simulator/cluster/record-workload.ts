/**
 * What clients do with records in a run, and whether what they were told can be so. The shape of it is drawn anew for each run: which operations there are
 * and how often, on how many keys, how evenly, with what ids.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { formatUuid, makeUuidV4, makeUuidV7 } from "../../src/base/uuid.ts";
import { RecordChecks } from "./record-checks.ts";
import type { RecordReport } from "./record-checks.ts";
import { RecordRequest } from "./record-request.ts";
import type { PlannedAction, RecordPlan, RequestListener } from "./record-request.ts";
import { drawRecordShape } from "./record-shape.ts";
import type { RecordShape } from "./record-shape.ts";
import { stampBytes } from "./stamped-value.ts";
import type { MachineWorkload } from "./machine-workload.ts";

const finalClient = 0;

export interface RecordWorkloadParts {
  readonly random: Random;
  /** The time of which request ids are made. */
  readonly clock: Clock;
  readonly partitions: number;
  readonly listener: RequestListener;
  /** Overrides what is drawn. */
  readonly shape?: Partial<RecordShape> | undefined;
}

export class RecordWorkload implements MachineWorkload {
  readonly shape: RecordShape;
  readonly #parts: RecordWorkloadParts;
  readonly #calls: RecordRequest[] = [];
  readonly #final: RecordRequest[] = [];
  /** The version that a key was last seen with. */
  readonly #versions = new Map<string, number>();
  #nextStamp = 1;

  constructor(parts: RecordWorkloadParts) {
    this.#parts = parts;
    this.shape = { ...drawRecordShape(parts.random), ...parts.shape };
  }

  next(client: number, random: Random): readonly RecordRequest[] {
    const count = chance(random, this.shape.bursts)
      ? 1 + randomBelow(random, this.shape.burstMaxCount)
      : 1;
    return Array.from({ length: count }, () => this.#request(this.#plan(client, random)));
  }

  /** One linearizable read of each key that was used. */
  last(): readonly RecordRequest[] {
    const seen = new Map<string, number>();
    for (const { partition, actions } of this.#calls)
      for (const { key } of actions) seen.set(key, partition);
    for (const [key, partition] of seen) {
      const actions = [{ kind: "get", key }] as const;
      const plan: RecordPlan = {
        client: finalClient,
        partition,
        way: "barrier",
        requestId: undefined,
        actions,
        group: false,
      };
      this.#final.push(this.#request(plan));
    }
    return this.#final;
  }

  check(): RecordReport {
    return new RecordChecks(this.#calls, this.#final).run();
  }

  #request(plan: RecordPlan): RecordRequest {
    const request = new RecordRequest(plan, (told) => {
      this.#noteVersions(told);
      this.#parts.listener(told);
    });
    this.#calls.push(request);
    return request;
  }

  #noteVersions({ actions, answers }: RecordRequest): void {
    const answer = answers.at(-1)?.answer;
    if (answer?.kind !== "done") return;
    for (const [index, { version }] of answer.answers.entries())
      this.#versions.set(must(actions[index]).key, version);
  }

  #plan(client: number, random: Random): RecordPlan {
    const { shape } = this;
    const partition = randomBelow(random, this.#parts.partitions);
    const plan = { client, partition, group: false } as const;
    const dice = random.u32() / 0x1_0000_0000;
    if (dice < shape.localReads || dice < shape.localReads + shape.barrierReads) {
      const way = dice < shape.localReads ? "local" : "barrier";
      const actions = [{ kind: "get", key: this.#key(partition, random) }] as const;
      return { ...plan, way, requestId: undefined, actions };
    }
    const group = chance(random, shape.groups);
    const count = group ? 1 + randomBelow(random, shape.groupMaxCount) : 1;
    const actions = Array.from({ length: count }, () => this.#action(partition, random, group));
    return { ...plan, way: "log", group, actions, requestId: this.#requestId(random) };
  }

  #action(partition: number, random: Random, inGroup: boolean): PlannedAction {
    const { shape } = this;
    const key = this.#key(partition, random);
    if (chance(random, inGroup ? 0.3 : shape.loggedReads)) return { kind: "get", key };
    const seen = this.#versions.get(key) ?? 0;
    // In a group a condition that does not hold ends all; so mostly without.
    const conditional = chance(random, inGroup ? shape.conditions / 6 : shape.conditions);
    if (chance(random, shape.deletes))
      return { kind: "delete", key, version: conditional ? seen : undefined };
    const conditions = ["nx", "xx", "version"] as const;
    const condition = conditional ? must(conditions[randomBelow(random, 3)]) : "none";
    const expires = chance(random, shape.expiries);
    return {
      kind: "set",
      key,
      stamp: this.#nextStamp++,
      condition,
      version: condition === "version" ? (chance(random, 0.85) ? seen : seen + 1) : 0,
      expires,
      valueBytes: this.#valueBytes(random),
      expiryMs: expires ? 200 + randomBelow(random, shape.expiryMaxMs) : 0,
    };
  }

  /** Keys are not hashed to partitions here: whoever asks says which one. Some have a tag behind the UUID. */
  #key(partition: number, random: Random): string {
    const { keys, skew } = this.shape;
    const number = Math.floor(keys * (random.u32() / 0x1_0000_0000) ** skew);
    const uuid = `0000000000004000800000000${partition.toString(16).padStart(2, "0")}${number.toString(16).padStart(5, "0")}`;
    return number % 5 === 3 ? `${uuid}${Buffer.from(`tag-${number}`).toString("hex")}` : uuid;
  }

  #valueBytes(random: Random): number {
    const { valueMaxBytes } = this.shape;
    if (chance(random, 0.5)) return stampBytes;
    return stampBytes + Math.floor(valueMaxBytes * (random.u32() / 0x1_0000_0000) ** 6);
  }

  #requestId(random: Random): string | undefined {
    const { ids, otherIds } = this.shape;
    if (!chance(random, ids)) return undefined;
    if (chance(random, otherIds)) {
      const other = chance(random, 0.5);
      return other
        ? `id-${random.u32().toString(36)}-${this.#nextStamp}`
        : formatUuid(makeUuidV4(random));
    }
    // Clocks of clients are not right.
    const skewMs = chance(random, 0.05) ? randomBelow(random, 140_000) - 70_000 : 0;
    return formatUuid(makeUuidV7(this.#parts.clock.wallMs() + skewMs, random));
  }
}
