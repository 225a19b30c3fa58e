/**
 * A document as it changes, by WebSocket at the address of its server-sent events: each message is one event as JSON text, with the name of the event as its `kind`. What the
 * client sends is passed over.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { checkDocumentName } from "../../documents/document-name.ts";
import { type MessageLink, closeCodes } from "../../documents/links/message-link.ts";
import type { UpgradeRoute } from "../websocket/upgrades.ts";
import type { DocumentStreams } from "./document-streams.ts";
import type { EventOutput } from "./event-output.ts";
import { problemOf } from "./problem.ts";
import { documentEventsPath } from "./routes/document-event-routes.ts";

/** Sent and not yet taken; over it the client counts as slow. About what a stream of server-sent events holds. */
const fullAtBytes = 65_536;

/** Of a client that has nothing to say. */
const clientMessageMaxBytes = 4_096;

/** The address of the streams, for WebSockets. */
export function documentEventUpgrade(streams: DocumentStreams, clock: Clock): UpgradeRoute {
  return {
    path: documentEventsPath,
    exercise: false,
    role: () => "read",
    open: (call) => {
      const name = call.parameters.get("name") ?? "";
      checkDocumentName(name);
      const link = call.accept({ maxMessageBytes: clientMessageMaxBytes, compress: false });
      if (link === undefined) return;
      const output = new SocketEvents(link, clock);
      try {
        streams.open(name, output);
      } catch (error) {
        if (!(error instanceof TrubaError)) throw error;
        output.send("ended", problemOf(error));
        output.end();
      }
    },
  };
}

export class SocketEvents implements EventOutput {
  readonly #link: MessageLink;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  /** When the client stopped taking what is sent (monotonic ms). */
  #fullSinceMs: number | undefined;
  #over = false;
  #drained: () => void = () => {};
  #closed: () => void = () => {};

  constructor(link: MessageLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    link.bind({
      message: () => {},
      binary: () => {},
      drained: () => this.#relieve(),
      closed: () => {
        this.#over = true;
        this.#timer?.cancel();
        this.#closed();
      },
    });
  }

  get full(): boolean {
    return this.#link.bufferedBytes > fullAtBytes;
  }

  send(event: string, data: unknown): void {
    this.sendText(event, JSON.stringify(data));
  }

  /** What has no `kind` of its own gets the event's. */
  sendText(event: string, json: string): void {
    const kind = `{"kind":${JSON.stringify(event)}`;
    const members = json.slice(1);
    this.#link.send(json.startsWith(kind) ? json : `${kind},${members}`, false);
    if (this.full && this.#fullSinceMs === undefined) this.#watchStall();
  }

  end(): void {
    this.#link.close(closeCodes.goingAway, "the stream has ended");
  }

  onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  onClosed(listener: () => void): void {
    this.#closed = listener;
    if (this.#over) this.#clock.soon(listener);
  }

  #relieve(): void {
    if (this.#fullSinceMs === undefined || this.full) return;
    this.#fullSinceMs = undefined;
    this.#timer?.cancel();
    this.#drained();
  }

  /** A client that takes nothing for long is as good as gone. */
  #watchStall(): void {
    this.#fullSinceMs = this.#clock.monotonicMs();
    this.#timer?.cancel();
    this.#timer = this.#clock.after(limits.eventStallMaxMs, () => {
      this.#link.close(closeCodes.refused, "the client takes nothing");
    });
  }
}
