/** Outgoing connections over TLS, over `node:tls`: the client's side of what `node-tls.ts` accepts. */
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import type { Address, Connection, Listener, Network } from "./network.ts";
import { NodeConnection } from "./node-network.ts";

/** What a client trusts and shows, in PEM. */
export interface TlsTrust {
  /** Authorities of the node's certificate. Default: those that Node comes with. */
  readonly authorities?: string | undefined;
  /** The client's own certificate and its key, for a node that wants one. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** The name in the node's certificate, if it is not that of the address. */
  readonly serverName?: string | undefined;
}

/** Makes encrypted connections, to servers whose certificate is good and names them. Connects only. */
export class NodeTlsNetwork implements Network {
  readonly #trust: TlsTrust;

  constructor(trust: TlsTrust = {}) {
    this.#trust = trust;
  }

  listen(): Promise<Listener> {
    return Promise.reject(new Error("connections over TLS are accepted by NodeTls"));
  }

  /** Resolves after the handshake. Rejects with the operating system's error, or OpenSSL's when the server's certificate is not trusted. */
  connect({ host, port }: Address): Promise<Connection> {
    const { authorities, certificate, key } = this.#trust;
    // Names only may be asked for (RFC 6066 §3); an address is compared with the certificate all the same.
    const serverName = this.#trust.serverName ?? (isIP(host) === 0 ? host : undefined);
    const options: ConnectionOptions & { allowHalfOpen: boolean } = {
      host,
      port,
      allowHalfOpen: true,
      minVersion: "TLSv1.2",
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    };
    return new Promise((resolve, reject) => {
      const socket = connect(options);
      socket.setNoDelay(true);
      socket.once("error", reject);
      socket.once("secureConnect", () => {
        socket.off("error", reject);
        resolve(new NodeConnection(socket));
      });
    });
  }
}
