/**
 * What this node promises with its clock: "I issue nothing at or before this". A promise must hold after a crash, so it never goes beyond a ceiling that the journal holds, and a start begins
 * at the ceiling. The ceiling is raised some seconds at a time, when somebody asks for a promise near it.
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { HybridClock } from "./hybrid-clock.ts";
import type { Journal } from "./journal.ts";
import { compareStamps, firstStamp, laterStamp } from "./stamp.ts";
import type { Stamp } from "./vocabulary.ts";

export class OwnClock {
  readonly hybrid: HybridClock;
  readonly #journal: Journal;
  #ceiling: Stamp;
  /** Asked of the journal and not durable yet. */
  #asked: { readonly ceiling: Stamp; readonly index: number } | undefined;
  #wanted = false;

  /** `ceiling`: the highest that the journal holds. */
  constructor(clock: Clock, journal: Journal, ceiling: Stamp) {
    this.hybrid = new HybridClock(clock, ceiling);
    this.#journal = journal;
    this.#ceiling = ceiling;
  }

  /** Up to here promises may go; asks for more when that is near. */
  get ceiling(): Stamp {
    this.#wanted = true;
    return this.#ceiling;
  }

  /** The earlier of a ceiling and a stamp; `undefined`: nothing may be promised yet. */
  within(ceiling: Stamp, stamp: Stamp): Stamp | undefined {
    const most = compareStamps(stamp, ceiling) < 0 ? stamp : ceiling;
    return most.ms === 0 ? undefined : most;
  }

  /** The ceiling should be raised with the next batch. */
  get due(): boolean {
    if (!this.#wanted || this.#asked !== undefined) return false;
    return this.hybrid.now().ms + limits.documentClockReserveMs / 2 > this.#ceiling.ms;
  }

  /** Before a batch is sealed. `anew`: said again, because the entry that said it is to be trimmed. */
  beforeSeal(anew = false): void {
    if (!anew && !this.due) return;
    this.#wanted = false;
    const { ms } = this.hybrid.now();
    const raised = anew ? firstStamp : { ms: ms + limits.documentClockReserveMs, counter: 0 };
    const ceiling = laterStamp(
      laterStamp(this.#ceiling, this.#asked?.ceiling ?? firstStamp),
      raised,
    );
    if (ceiling.ms > 0) this.#asked = { ceiling, index: this.#journal.ceiling(ceiling) };
  }

  /** Says whether the ceiling is higher now. */
  confirm(durable: number): boolean {
    if (this.#asked === undefined || this.#asked.index > durable) return false;
    const before = this.#ceiling;
    this.#ceiling = laterStamp(before, this.#asked.ceiling);
    this.#asked = undefined;
    return compareStamps(this.#ceiling, before) > 0;
  }
}
