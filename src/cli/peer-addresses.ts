/** Peers of documents as people write them: `10.0.0.2:8080`, `10.0.0.3:8080/d/notes` for a plain peer of another document, `wss://node-2.example:8443` over TLS. */
import type { PeerAddress } from "../documents/links/message-link.ts";
import { defaultDocument, isDocumentName } from "../documents/document-name.ts";
import { parseAddress } from "./address.ts";

/** The peer in the text, or `undefined` when it names none. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const parts = /^(?:(ws|wss|http|https):\/\/)?([^/]+)(?:\/|\/d\/([^/]+))?$/.exec(text);
  if (parts === null) return undefined;
  const [, scheme = "ws", authority = "", document = defaultDocument] = parts;
  const address = parseAddress(authority);
  if (address === undefined || address.port === 0 || !isDocumentName(document)) return undefined;
  return { ...address, tls: scheme === "wss" || scheme === "https", document, text };
}
