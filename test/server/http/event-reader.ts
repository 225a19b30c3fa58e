/** Reads server-sent events off a socket, as a browser would. */
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Address } from "../../../src/base/network.ts";

export interface ReadEvent {
  readonly event: string;
  readonly data: unknown;
}

export class EventReader {
  readonly #events: ReadEvent[] = [];
  readonly #response: IncomingMessage;
  #waiting: (() => void) | undefined;
  comments = 0;
  ended = false;
  #text = "";

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => this.#take(chunk));
    response.on("error", () => {});
    response.on("close", () => {
      this.ended = true;
      this.#waiting?.();
    });
  }

  /** Rejects with the status if the stream does not begin. */
  static open(
    address: Address,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { ...address, path, headers: { accept: "text/event-stream", ...headers } },
        (response) => {
          if (response.statusCode === 200) resolve(new EventReader(response));
          else {
            reject(new Error(`status ${response.statusCode}`));
            response.destroy();
          }
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  }

  get headers(): IncomingMessage["headers"] {
    return this.#response.headers;
  }

  /** The next event; rejects if there is none in time. */
  async next(timeoutMs = 2_000): Promise<ReadEvent> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.ended) throw new Error("the stream has ended");
      if (Date.now() > deadline) throw new Error("no event in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    for (let end = this.#text.indexOf("\n\n"); end >= 0; end = this.#text.indexOf("\n\n")) {
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      if (block.startsWith(":")) {
        this.comments++;
        continue;
      }
      const event = /^event: (.*)$/m.exec(block)?.[1] ?? "";
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? "null";
      this.#events.push({ event, data: JSON.parse(data) as unknown });
    }
    this.#waiting?.();
  }
}
