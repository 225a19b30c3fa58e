/** The links of a node that serves: its peers by the configuration, and whoever connects to its HTTP port. */
import type { Environment } from "../base/environment.ts";
import type { TlsFiles } from "../base/node-tls.ts";
import { Links } from "../documents/links/links.ts";
import type { Node } from "../node/node.ts";
import { documentUpgrades } from "../server/websocket/document-upgrades.ts";
import { Upgrades } from "../server/websocket/upgrades.ts";
import { WebSocketDialer } from "../server/websocket/web-socket-dialer.ts";
import { isLoopback } from "./address.ts";
import type { Configuration } from "./options.ts";

export interface DocumentLinksParts {
  readonly node: Node;
  readonly environment: Environment;
  readonly peers: Configuration["documentPeers"];
  /** The secret that peers are shown. */
  readonly token: string | undefined;
  /** The node's own certificate is shown to peers too; authorities of its clients are trusted as theirs. */
  readonly tls: TlsFiles | undefined;
}

/** Nothing is dialed before `Links.start`. */
export function documentLinks(parts: DocumentLinksParts): {
  readonly links: Links;
  readonly upgrades: Upgrades;
} {
  const { node, environment, peers = [], token, tls } = parts;
  const { clock, random, logger } = environment;
  const exposed = peers.filter((peer) => !peer.tls && !isLoopback(peer.host));
  if (token !== undefined && exposed.length > 0) {
    const names = exposed.map(({ text }) => text);
    logger.warn({ peers: names }, "the token for peers crosses the network in the clear");
  }
  const trust = tls && {
    authorities: tls.clientAuthorities,
    certificate: tls.certificate,
    key: tls.key,
  };
  const dialer = new WebSocketDialer({ token, trust });
  const links = new Links({ exchange: node.documents, dialer, clock, random, logger, peers });
  const upgrades = new Upgrades({ routes: documentUpgrades(links), clock, logger });
  return { links, upgrades };
}
