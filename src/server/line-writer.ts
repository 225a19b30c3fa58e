/** Builds the answers of one connection of the line protocol until they are sent: one text whose characters are bytes. */
import type { Connection } from "../base/network.ts";
import { byteText } from "../protocol/resp-writer.ts";
import type { Output } from "./connection-flow.ts";
import type { ServerCounters } from "./server-context.ts";

export class LineWriter implements Output {
  readonly #counters: ServerCounters;
  #text = "";

  constructor(counters: ServerCounters) {
    this.#counters = counters;
  }

  get bufferedBytes(): number {
    return this.#text.length;
  }

  line(text: string): void {
    this.#text += `${byteText(text)}\n`;
  }

  error(text: string): void {
    this.#counters.errorsAnswered++;
    this.line(`Error: ${text}`);
  }

  /** A line of bytes, none of which ends it. */
  bytes(line: Buffer): void {
    this.#text += `${line.toString("latin1")}\n`;
  }

  flushTo(connection: Connection): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    connection.writeText(text);
  }
}
