/** How a node is: one reason to refuse operations at a time, the gravest. */
import type { Logger } from "../base/logger.ts";
import { type ErrorOutcome, errorOutcome } from "../machines/outcome.ts";

export type Condition = "serving" | "diskfull" | "draining" | "stopped";

const refusals: Readonly<Record<Condition, ErrorOutcome | undefined>> = {
  serving: undefined,
  diskfull: errorOutcome(
    "DISKFULL",
    "free disk space is below the low-water mark; reads go on",
    1_000,
  ),
  draining: errorOutcome("SHUTTINGDOWN", "the node is stopping", 1_000),
  stopped: errorOutcome("STOPPED", "the node has stopped"),
};

export class NodeCondition {
  readonly #logger: Logger;
  readonly #refuse: (refusal: ErrorOutcome | undefined) => void;
  #current: Condition = "serving";
  #diskFull = false;

  /** `refuse` is told why operations are to be refused from now on; `undefined` = they are not. */
  constructor(logger: Logger, refuse: (refusal: ErrorOutcome | undefined) => void) {
    this.#logger = logger;
    this.#refuse = refuse;
  }

  get current(): Condition {
    return this.#current;
  }

  /** Why operations are refused; `undefined`: they are not. */
  get refusal(): ErrorOutcome | undefined {
    return refusals[this.#current];
  }

  get diskFull(): boolean {
    return this.#diskFull;
  }

  get stopped(): boolean {
    return this.#current === "stopped";
  }

  setDiskFull(full: boolean): void {
    if (full !== this.#diskFull)
      this.#logger.warn(
        { full },
        full ? "disk is full: writes are refused" : "disk has space again",
      );
    this.#diskFull = full;
    this.#settle();
  }

  drain(): void {
    if (this.#current !== "stopped") this.#current = "draining";
    this.#settle();
  }

  stop(): void {
    this.#current = "stopped";
    this.#settle();
  }

  #settle(): void {
    if (this.#current === "serving" || this.#current === "diskfull")
      this.#current = this.#diskFull ? "diskfull" : "serving";
    this.#refuse(refusals[this.#current]);
  }
}
