/** How fast log time goes while one copy leads: not faster than the clock slews (src/partition/log-clock.ts), however the wall clock of its machine jumps. */
import type { Node } from "../../src/node/node.ts";
import { Violation } from "./violation.ts";
import type { Host } from "./host.ts";

/** The fastest that log time may go, and what batches in hand may be ahead. */
const speedMax = 17 / 16;
const slackMs = 1_000;

interface Reign {
  readonly copy: object;
  readonly term: number;
  readonly beganMs: number;
  /** Log time, or the wall clock, when it was seen first. */
  readonly fromMs: number;
}

export class Reigns {
  readonly #known = new Map<string, Reign>();

  /** A copy was seen. Throws Violation. */
  look(host: Host, node: Node, partition: number): void {
    const key = `${host.number} ${partition}`;
    const copy = node.partitions[partition];
    const { clock } = host;
    const term = copy?.log.leadingTerm ?? 0;
    if (copy === undefined || clock === undefined || term === 0) {
      this.#known.delete(key);
      return;
    }
    const nowMs = clock.monotonicMs();
    const known = this.#known.get(key);
    if (known?.copy !== copy || known.term !== term) {
      const fromMs = Math.max(copy.timestamp, clock.wallMs());
      this.#known.set(key, { copy, term, beganMs: nowMs, fromMs });
      return;
    }
    const ranMs = nowMs - known.beganMs;
    if (copy.timestamp <= known.fromMs + ranMs * speedMax + slackMs) return;
    throw new Violation(
      partition,
      `log time: partition ${partition} on host ${host.number} is ${copy.timestamp - known.fromMs} ms on, ${ranMs} ms after it began to lead`,
    );
  }
}
