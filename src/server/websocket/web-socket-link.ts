/** A WebSocket as a `MessageLink`, over `ws`. Bounds are those of P8: size and fragments of what comes, and how long a close may take. */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { assert } from "../../base/assert.ts";
import { limits } from "../../base/limits.ts";
import type { MessageLink, MessageLinkEvents } from "../../documents/links/message-link.ts";
import { compressFromBytes } from "../../documents/links/link-pump.ts";

/** TCP asks a silent other side so often whether it is still there: plain peers answer no pings. */
const keepAliveMs = 15_000;

/**
 * What every WebSocket is made with. Peers that read nothing never answer a close, so that is not waited for as long as `ws` would. Fragments and chunks are what a message
 * of the largest size may sensibly come in.
 */
export const socketBounds = {
  closeTimeout: 2_000,
  maxFragments: 4_096,
  maxBufferedChunks: 65_536,
  followRedirects: false,
} as const;

/**
 * Compression (RFC 7692) without memory of earlier messages: such memory costs hundreds of kilobytes per connection, and `ws` keeps to the threshold only without it.
 */
export const compression = {
  threshold: compressFromBytes,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  concurrencyLimit: 4,
} as const;

/** Bytes of a reason for closing (RFC 6455 §5.5). */
const reasonMaxBytes = 123;

export class WebSocketLink implements MessageLink {
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  #events: MessageLinkEvents | undefined;
  /** Bytes on the wire, once the connection is over. */
  #sent = 0;
  #received = 0;
  #isOver = false;
  #error = "";

  /** Of a socket that is open; nothing of it is read before `bind`. */
  constructor(socket: WebSocket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    const { remoteAddress = "?", remotePort = 0 } = raw;
    this.remote = `${remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
    raw.setKeepAlive(true, keepAliveMs);
    socket.pause();
    socket.on("error", (error) => {
      this.#error = error.message;
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get bytesSent(): number {
    return this.#isOver ? this.#sent : this.#raw.bytesWritten;
  }

  get bytesReceived(): number {
    return this.#isOver ? this.#received : this.#raw.bytesRead;
  }

  bind(events: MessageLinkEvents): void {
    assert(this.#events === undefined, "a link is bound once");
    this.#events = events;
    const socket = this.#socket;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) events.binary(data.length);
      else events.message(data.toString("utf8"));
    });
    this.#raw.once("close", () => {
      this.#sent = this.#raw.bytesWritten;
      this.#received = this.#raw.bytesRead;
      this.#isOver = true;
    });
    socket.once("close", (code, reason) => events.closed(this.#closeText(code, reason)));
    socket.resume();
  }

  send(text: string, compress: boolean): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text, { binary: false, compress }, () => this.#events?.drained());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    // The other side's answer can only be read by one who reads.
    this.#socket.resume();
    this.#socket.close(code, shortened(reason));
  }

  /** Closes without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** Told once, when the connection is over. */
  onClosed(listener: () => void): void {
    this.#socket.once("close", listener);
  }

  #closeText(code: number, reason: Buffer): string {
    if (this.#error !== "") return `the connection failed: ${this.#error}`;
    // What no close frame said (RFC 6455 §7.1.5).
    if (code === 1006) return "the connection was lost";
    const words = reason.toString("utf8");
    const meaning =
      code === 1009
        ? ` (a message was longer than the other side reads, which is ${limits.documentPlainMaxBytes} bytes with plain peers)`
        : "";
    return `closed by the other side with ${code}${words === "" ? "" : `: ${words}`}${meaning}`;
  }
}

/** As long as a close frame takes it, and whole characters only. */
function shortened(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > reasonMaxBytes) text = Array.from(text).slice(0, -1).join("");
  return text;
}
