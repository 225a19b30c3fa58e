/** Nodes that are nothing but links, on one virtual clock. */
import { silentLogger } from "../../../src/base/logger.ts";
import type { Logger } from "../../../src/base/logger.ts";
import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { Links } from "../../../src/documents/links/links.ts";
import type { PeerAddress } from "../../../src/documents/links/message-link.ts";
import type { LinkStatus, VectorClock } from "../../../src/documents/vocabulary.ts";
import { MemoryExchange } from "./memory-exchange.ts";
import { MemoryLink, MemoryNetwork } from "./memory-links.ts";

export class LinkedNode {
  readonly name: string;
  readonly exchange: MemoryExchange;
  readonly links: Links;

  constructor(name: string, exchange: MemoryExchange, links: Links) {
    this.name = name;
    this.exchange = exchange;
    this.links = links;
  }

  status(): readonly LinkStatus[] {
    return this.links.status();
  }

  /** The one link's status. */
  get only(): LinkStatus {
    const [status] = this.status();
    if (status === undefined) throw new Error(`${this.name} has no link`);
    return status;
  }
}

export interface NodeParts {
  readonly peers?: readonly string[];
  /** Default: the node's name. */
  readonly source?: string;
  readonly nodeId?: number;
  readonly exchange?: MemoryExchange;
  readonly logger?: Logger;
}

export class LinkedNodes {
  readonly clock = new VirtualClock();
  readonly network = new MemoryNetwork(this.clock);
  #nodeIds = 0;
  #seeds = 0;

  /** A node that listens at its name, and dials its peers when it is started. */
  node(name: string, parts: NodeParts = {}): LinkedNode {
    const { clock, network } = this;
    const { peers = [], source = name, nodeId = ++this.#nodeIds, logger = silentLogger } = parts;
    const exchange = parts.exchange ?? new MemoryExchange(clock, source, nodeId);
    const links = new Links({
      exchange,
      dialer: network.dialer(name),
      clock,
      random: new SeededRandom(++this.#seeds),
      logger,
      peers: peers.map(peerAt),
    });
    network.listen(name, {
      version: 1,
      accept: (link, query) => {
        if (query.has("truba")) links.acceptTruba(link);
        else links.acceptPlain(link, "default", {});
      },
    });
    links.start();
    return new LinkedNode(name, exchange, links);
  }

  /** A connection of somebody who says nothing, to a node. */
  listen(node: LinkedNode, since: VectorClock = {}, document = "default"): PlainListener {
    const [near, far] = MemoryLink.pair(this.clock, { from: "somebody", to: node.name });
    const listener = new PlainListener(near, far);
    node.links.acceptPlain(far, document, since);
    return listener;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }
}

/** Keeps what it is sent, and says nothing. */
export class PlainListener {
  readonly texts: string[] = [];
  readonly link: MemoryLink;
  /** The end of the node. */
  readonly far: MemoryLink;
  closedReason: string | undefined;

  constructor(link: MemoryLink, far: MemoryLink) {
    this.link = link;
    this.far = far;
    link.bind({
      message: (text) => this.texts.push(text),
      binary: () => {},
      drained: () => {},
      closed: (reason) => {
        this.closedReason = reason;
      },
    });
  }

  /** As `source:id`. */
  get ids(): readonly string[] {
    return this.texts.map((text) => {
      const { Source, Id } = JSON.parse(text) as { Source: string; Id: number };
      return `${Source}:${Id}`;
    });
  }
}

export function peerAt(text: string): PeerAddress {
  const [host = "", document = "default"] = text.split("/d/");
  return { host, port: 1, tls: false, document, text };
}

/** `a:1`, `a:2`, … */
export function idsOf(source: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${source}:${at + 1}`);
}
