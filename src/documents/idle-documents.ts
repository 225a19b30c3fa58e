/** Documents that nobody uses leave memory, and names that were looked for and never written are forgotten. */
import type { Clock, Timer } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { DocumentSlot } from "./document-slot.ts";

export class IdleDocuments {
  readonly #clock: Clock;
  readonly #slots: Map<string, DocumentSlot>;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(clock: Clock, slots: Map<string, DocumentSlot>) {
    this.#clock = clock;
    this.#slots = slots;
  }

  /** Looks around four times in the time after which a document counts as idle. */
  start(): void {
    this.#timer = this.#clock.after(limits.documentIdleMs / 4, () => {
      void this.#unload().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #unload(): Promise<void> {
    const before = this.#clock.monotonicMs() - limits.documentIdleMs;
    for (const slot of this.#slots.values()) {
      const { document } = slot;
      if (document === undefined || document.usedMs > before || !document.unused) continue;
      if (this.#stopped) return;
      // Names that were looked for and never written must not add up to the limit of documents.
      if (!slot.exists) this.#slots.delete(slot.name);
      else await slot.unload(before);
    }
  }
}
