/** Gathers what is to be done after steps: the differences to what was given out last. */
import type { Copy } from "./copy.ts";
import type { HardState, Ready, SoftState } from "./vocabulary.ts";

export class ReadyMaker {
  readonly #copy: Copy;
  #hard: HardState;
  #soft: SoftState;

  constructor(copy: Copy) {
    this.#copy = copy;
    this.#hard = copy.hardState;
    this.#soft = { role: copy.role, leader: copy.leader };
  }

  has(): boolean {
    const copy = this.#copy;
    const { log } = copy;
    const missing = log.fetchToApply();
    if (missing !== undefined) copy.fetches.push(missing);
    return (
      copy.messages.length > 0 ||
      copy.afterAppend.length > 0 ||
      copy.readStates.length > 0 ||
      copy.fetches.length > 0 ||
      log.hasUnwritten ||
      log.hasToApply ||
      log.hasUnwrittenSnapshot ||
      this.#softChanged() ||
      this.#hardChanged()
    );
  }

  take(): Ready {
    const copy = this.#copy;
    const { log } = copy;
    const missing = log.fetchToApply();
    if (missing !== undefined) copy.fetches.push(missing);
    const entries = log.unwritten();
    const hard = this.#hardChanged() ? copy.hardState : undefined;
    const mustSync =
      entries.length > 0 || copy.term !== this.#hard.term || copy.vote !== this.#hard.vote;
    const snapshot = log.unwrittenSnapshot();
    const afterAppend = copy.takeAfterAppend();
    const persists =
      hard !== undefined || entries.length > 0 || snapshot !== undefined || afterAppend.length > 0;
    const ready: Ready = {
      soft: this.#softChanged() ? { role: copy.role, leader: copy.leader } : undefined,
      hard,
      snapshot,
      entries,
      mustSync,
      messages: copy.takeMessages(),
      afterAppend,
      ack: persists ? log.ackOf(copy.term, snapshot) : undefined,
      committed: log.toApply(),
      reads: copy.takeReadStates(),
      fetches: copy.takeFetches(),
    };
    if (ready.soft !== undefined) this.#soft = ready.soft;
    if (hard !== undefined) this.#hard = hard;
    log.writing();
    log.applying(ready.committed);
    return ready;
  }

  #softChanged(): boolean {
    return this.#copy.role !== this.#soft.role || this.#copy.leader !== this.#soft.leader;
  }

  #hardChanged(): boolean {
    const { term, vote, log } = this.#copy;
    return (
      term !== this.#hard.term || vote !== this.#hard.vote || log.committed !== this.#hard.commit
    );
  }
}
