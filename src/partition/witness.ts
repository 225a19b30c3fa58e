/**
 * A copy that keeps the log and votes, but has no state (DESIGN §9): what is committed is let go, and the log is trimmed as far as the full copies no longer
 * need it.
 */
import { limits } from "../base/limits.ts";
import type { Position, SharedLog } from "../log/shared-log.ts";

export class Witness {
  readonly id: number;
  readonly log: SharedLog;
  #position: Position;

  constructor(parts: { id: number; log: SharedLog; wake: () => void }) {
    this.id = parts.id;
    this.log = parts.log;
    // There is no state that would be older than the log.
    this.#position = parts.log.status().first - 1;
    this.log.onChange(parts.wake);
    this.log.readFrom(this.#position);
  }

  /** The last committed entry that it has seen. */
  get position(): Position {
    return this.#position;
  }

  /** Lets go some of what is committed. Returns whether that is all of it: otherwise it wants another turn. */
  consume(): boolean {
    const last = this.log.committed(limits.batchMaxBytes).at(-1);
    if (last === undefined) return true;
    this.#position = last.position;
    return false;
  }

  /** Trims the log as far as the other copies allow; the log itself keeps what they still need. */
  trim(): void {
    this.log.trim(this.#position);
  }
}
