/** Decodes server-sent events (HTML standard §9.2.6) from the pieces in which they arrive. Knows no connection. */

export interface ServerEvent {
  /** `message` unless named. */
  readonly event: string;
  readonly data: string;
}

export class EventStreamDecoder {
  readonly #toText = new TextDecoder();
  /** The line that has begun. */
  #line = "";
  #event = "";
  #data: string[] = [];
  /** The last piece ended in CR: an LF that comes next belongs to it. */
  #afterReturn = false;

  /** The events that are complete with these bytes. */
  push(bytes: Uint8Array): ServerEvent[] {
    const events: ServerEvent[] = [];
    let text = this.#toText.decode(bytes, { stream: true });
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") this.#afterReturn = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    for (const [i, line] of lines.entries()) {
      this.#line += line;
      // What stands behind the last line end is not a whole line.
      if (i === lines.length - 1) break;
      const event = this.#take(this.#line);
      this.#line = "";
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** An empty line ends an event. */
  #take(line: string): ServerEvent | undefined {
    if (line === "") {
      const event = { event: this.#event || "message", data: this.#data.join("\n") };
      const isEvent = this.#data.length > 0;
      this.#event = "";
      this.#data = [];
      return isEvent ? event : undefined;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return undefined;
  }
}
