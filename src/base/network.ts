/**
 * Byte streams between processes. The real one is `NodeNetwork` (TCP); the simulator's network delays, cuts and loses.
 */
export interface Network {
  /** Listens. `port` 0 picks a free one. Throws the operating system's error (EADDRINUSE, EACCES, …). */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>;
  connect(address: Address): Promise<Connection>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  readonly address: Address;
  /** Accepts no more; open connections live on. */
  close(): Promise<void>;
}

/** What a connection tells its owner. Set at once when the connection is accepted or made. */
export interface ConnectionEvents {
  /** Bytes arrived. The chunk belongs to the receiver. */
  data(chunk: Uint8Array): void;
  /** What was written has left this process's buffers after they were over their mark. */
  drained(): void;
  /**
   * The peer will send no more and may still read: `printf … | nc -N` shuts its sending side and waits for the answers. Told at most once,
   * after the last `data`. The connection stays open until its owner calls `end` or `destroy`, so the owner must.
   */
  ended(): void;
  /** The connection is over, both ways; told once, also after an error. */
  closed(): void;
}

/** Encrypts connections that were accepted as they came: one port takes both kinds. The real one is `NodeTls`. */
export interface Encryption {
  /**
   * Goes on with a connection whose peer has begun a handshake; `first` is all that it has sent. The plain connection tells its owner nothing
   * more and must not be used any more. The one that is returned stands for it, is to be bound in the same turn, and hands out what the peer
   * sends once the handshake is done. If the handshake fails or takes too long, it is closed, and that is all that its owner is told.
   */
  accept(plain: Connection, first: Uint8Array): Connection;
}

export interface Connection {
  readonly remote: Address;
  /** Bytes written by the owner and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** Must be called once, in the turn in which the connection came. */
  bind(events: ConnectionEvents): void;
  /** Sends text whose characters are bytes (latin1): the cheapest way for short answers. Ignored after `end` and `destroy`. */
  writeText(text: string): void;
  /** Sends bytes. They belong to the connection from now on. Ignored after `end` and `destroy`. */
  writeBytes(bytes: Uint8Array): void;
  /** Holds what is written until `uncork`, so that it leaves in one system call. */
  cork(): void;
  uncork(): void;
  /** Stops and restarts `data`, to push back on a peer that sends too fast. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes the sending side. `closed` comes when the peer has ended too. */
  end(): void;
  /** Closes now; what was not sent is lost. */
  destroy(): void;
}

/** Whether the peer is a program on this machine. `host` is that of a connection, not a name. */
export function isFromThisMachine(host: string): boolean {
  return host === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host);
}
