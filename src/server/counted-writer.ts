/** A writer of answers that counts the errors among them, whoever writes them. */
import { RespWriter } from "../protocol/resp-writer.ts";
import type { ServerCounters } from "./server-context.ts";

export class CountedWriter extends RespWriter {
  readonly #counters: ServerCounters;

  constructor(counters: ServerCounters) {
    super();
    this.#counters = counters;
  }

  override error(code: string, text: string): void {
    this.#counters.errorsAnswered++;
    super.error(code, text);
  }
}
