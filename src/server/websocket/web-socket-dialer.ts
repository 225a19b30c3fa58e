/** Dials peers over WebSocket. A Truba node says in its answer that it is one, by the header `Truba-Documents`; a plain peer passes over what it is asked. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import { type ClientOptions, WebSocket } from "ws";
import { limits } from "../../base/limits.ts";
import type { TlsTrust } from "../../base/node-tls-network.ts";
import type { Dialed, LinkDialer, PeerAddress } from "../../documents/links/message-link.ts";
import { defaultDocument } from "../../documents/document-name.ts";
import { WebSocketLink, compression, socketBounds } from "./web-socket-link.ts";

export interface DialerParts {
  /** The secret of a token with the role `peer`; `undefined`: none is shown. */
  readonly token?: string | undefined;
  /** For peers over TLS. `authorities` are trusted beside those that Node comes with. */
  readonly trust?: TlsTrust | undefined;
}

/** The header of a Truba node's answer: the version of the protocol that is to be spoken. */
export const versionHeader = "truba-documents";

/** Of an answer that is none of a WebSocket, what is read and shown. */
const refusalMaxBytes = 4_096;

export class WebSocketDialer implements LinkDialer {
  readonly #options: ClientOptions;

  constructor({ token, trust }: DialerParts = {}) {
    this.#options = {
      ...socketBounds,
      ...tlsOptionsOf(trust ?? {}),
      handshakeTimeout: limits.tlsHandshakeMaxMs,
      maxPayload: limits.documentMessageMaxBytes,
      perMessageDeflate: compression,
      minVersion: "TLSv1.2",
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    };
  }

  dial(
    peer: PeerAddress,
    query: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<Dialed> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(urlOf(peer, query), [], this.#options);
      const abort = (): void => socket.terminate();
      signal.addEventListener("abort", abort, { once: true });
      let answer: IncomingMessage | undefined;
      const failed = (error: Error): void => {
        signal.removeEventListener("abort", abort);
        reject(error);
      };
      socket.once("error", failed);
      socket.once("upgrade", (response) => {
        answer = response;
      });
      socket.once("unexpected-response", (request, response) => {
        void refusalOf(response).then((text) => {
          failed(new Error(text));
          request.destroy();
        });
      });
      socket.once("open", () => {
        signal.removeEventListener("abort", abort);
        socket.off("error", failed);
        if (answer === undefined) return failed(new Error("the peer answered without an answer"));
        const link = new WebSocketLink(socket, answer.socket);
        return resolve({ link, version: versionOf(answer) });
      });
    });
  }
}

/** What a peer is dialed at. */
export function urlOf(peer: PeerAddress, query: ReadonlyMap<string, string>): string {
  const { host, port, tls, document } = peer;
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const path = document === defaultDocument ? "/ws" : `/d/${document}/ws`;
  return `${tls ? "wss" : "ws"}://${authority}${path}?${new URLSearchParams([...query]).toString()}`;
}

function versionOf({ headers }: IncomingMessage): number | null {
  const given = headers[versionHeader];
  if (given === undefined) return null;
  const version = Number(given);
  return Number.isSafeInteger(version) ? version : 0;
}

function tlsOptionsOf({ authorities, certificate, key }: TlsTrust): ClientOptions {
  return {
    ...(authorities === undefined ? {} : { ca: [...rootCertificates, authorities] }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What a peer says that does not make a WebSocket of the connection. */
async function refusalOf(response: IncomingMessage): Promise<string> {
  const status = `the peer answered ${response.statusCode ?? 0}`;
  let body = "";
  try {
    response.setEncoding("utf8");
    for await (const piece of response) {
      body += String(piece);
      if (body.length > refusalMaxBytes) break;
    }
    const problem: unknown = JSON.parse(body);
    if (typeof problem !== "object" || problem === null) return status;
    const { code, detail } = problem as { code?: unknown; detail?: unknown };
    return typeof detail === "string" ? `${status} ${String(code)}: ${detail}` : status;
  } catch {
    // Not JSON, or cut off: the status says enough.
    return status;
  }
}
