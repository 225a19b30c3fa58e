/**
 * Connections between nodes that hold documents, as links see them: texts that arrive whole and in order, or not at all. The real ones are WebSockets (RFC 6455),
 * made in `server/websocket`; tests and the simulator bring their own.
 */

/** A peer as the configuration names it. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** What a plain peer is asked for. A Truba peer brings all documents, whatever stands here. */
  readonly document: string;
  /** As it was written. */
  readonly text: string;
}

/** What a connection tells its owner. */
export interface MessageLinkEvents {
  message(text: string): void;
  /** A message came that is not text. */
  binary(byteCount: number): void;
  /** Something that was sent has left this process: `bufferedBytes` has fallen. */
  drained(): void;
  /** It is over, both ways; told once, and last. `reason` is for people. */
  closed(reason: string): void;
}

export interface MessageLink {
  /** HOST:PORT of the other side, for people. */
  readonly remote: string;
  /** Of what was sent, what has not left this process. */
  readonly bufferedBytes: number;
  /** On the wire, framing and compression included. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Must be called once, in the turn in which the link came. */
  bind(events: MessageLinkEvents): void;
  /** Ignored after `close`, and when the other side is gone. `compress` is a wish. */
  send(text: string, compress: boolean): void;
  /** Stops and restarts `message`, to push back on a peer that sends too fast. */
  pause(): void;
  resume(): void;
  /** No message is told any more. `closed` comes when the other side has answered, or soon after if it does not. Codes are those of RFC 6455 §7.4. */
  close(code: number, reason: string): void;
}

/** What came of dialing. */
export interface Dialed {
  readonly link: MessageLink;
  /** What the other side says to speak to each other: the version of the protocol of Truba nodes; `null`: it is a plain peer. */
  readonly version: number | null;
}

export interface LinkDialer {
  /** `query` is told to the other side; a plain peer passes over it. Rejects with an error whose text is for people; at once when the signal aborts. */
  dial(peer: PeerAddress, query: ReadonlyMap<string, string>, signal: AbortSignal): Promise<Dialed>;
}

/** Codes of RFC 6455 §7.4.1 that links close with. */
export const closeCodes = {
  done: 1000,
  goingAway: 1001,
  protocolError: 1002,
  notText: 1003,
  refused: 1008,
} as const;
