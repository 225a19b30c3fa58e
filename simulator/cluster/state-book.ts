/** What the workloads of queues and sessions share: the record of all calls, stamps, request ids, and on which partition each name is. */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { formatUuid, makeUuidV7 } from "../../src/base/uuid.ts";
import { partitionOfSlot, slotOf } from "../../src/placement/slots.ts";
import { stampBytes, stampedValue } from "./stamped-value.ts";
import { StateRequest } from "./state-request.ts";
import type { StateListener, StatePlan } from "./state-request.ts";

export class StateBook {
  readonly calls: StateRequest[] = [];
  /** One for each partition: what has it in its name is there. */
  readonly tags: readonly string[];
  readonly #clock: Clock;
  readonly #listener: StateListener;
  #nextStamp = 1;

  /** `listener` is told what becomes of each request. */
  constructor(clock: Clock, partitions: number, listener: StateListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.tags = tagsOf(partitions);
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Writes a request into the book. `then`: told first, of the first answer only. */
  request(plan: StatePlan, then?: StateListener): StateRequest {
    let isLate = false;
    const request = new StateRequest(plan, (one) => {
      if (!isLate) then?.(one);
      isLate = true;
      this.#listener(one);
    });
    this.calls.push(request);
    return request;
  }

  /** Bytes that nobody else writes, up to so many. */
  stamped(random: Random, maxBytes: number): Buffer {
    const more = Math.max(0, maxBytes - stampBytes);
    return stampedValue(this.#nextStamp++, stampBytes + randomBelow(random, more + 1));
  }

  requestId(random: Random): string {
    // Clocks of clients are not right.
    const skewMs = chance(random, 0.05) ? randomBelow(random, 100_000) - 50_000 : 0;
    return formatUuid(makeUuidV7(this.#clock.wallMs() + skewMs, random));
  }

  /** The partition of a session or a queue, by the tag in its name. */
  partitionOf(name: string): number {
    return this.tags.indexOf(must(/\{(.*)\}/.exec(name)?.[1], `${name} has a tag`));
  }
}

/** The first name for each partition whose slot is there. */
function tagsOf(partitions: number): string[] {
  const tags: string[] = [];
  for (let found = 0, i = 0; found < partitions; i++) {
    const tag = `t${i}`;
    const partition = partitionOfSlot(slotOf(Buffer.from(tag)), partitions);
    if (tags[partition] !== undefined) continue;
    tags[partition] = tag;
    found++;
  }
  return tags;
}
