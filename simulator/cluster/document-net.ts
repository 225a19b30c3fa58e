/** The links of all nodes of a simulated cluster: the shipped `Links` on each, over the network of the run, plain peers among them, and what happens to connections. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { Random } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { Links } from "../../src/documents/links/links.ts";
import type { MessageLink, PeerAddress } from "../../src/documents/links/message-link.ts";
import { protocolVersion } from "../../src/documents/links/wire.ts";
import { chance } from "../../src/base/random.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { DocumentShape } from "./document-shape.ts";
import type { Death, Host } from "./host.ts";
import { LinkNetwork, addressOf } from "./link-network.ts";
import type { MessageNetwork } from "./message-network.ts";
import { PlainPeer } from "./plain-peer.ts";
import { drawInterval } from "./swarm.ts";
import type { Trace } from "./trace.ts";
import type { Packet } from "./transport.ts";

export interface DocumentNetParts {
  readonly time: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly hosts: number;
  readonly network: MessageNetwork<Packet>;
  readonly shape: DocumentShape;
}

export class DocumentNet {
  readonly network: LinkNetwork;
  readonly plain: PlainPeer | undefined;
  readonly #parts: DocumentNetParts;
  #stopped = false;

  constructor(parts: DocumentNetParts) {
    const { time, random, trace, hosts, network, shape } = parts;
    this.#parts = parts;
    this.network = new LinkNetwork({
      clock: time,
      random: new SeededRandom(random.u32()),
      trace,
      paths: {
        isBlocked: (from, to) => from < hosts && to < hosts && network.isBlocked(from, to),
        drawDelayMs: () => network.drawDelayMs(random),
      },
    });
    if (shape.plain !== undefined)
      this.plain = new PlainPeer({
        host: hosts,
        nodes: hosts,
        clock: time,
        random: new SeededRandom(random.u32()),
        network: this.network,
        shape: shape.plain,
        writesMaxCount: shape.writesMaxCount,
      });
  }

  start(): void {
    this.plain?.start();
    if (this.#parts.shape.cutEveryMs > 0) this.#planCut();
  }

  /** No more cuts; plain peers write no more. */
  calm(): void {
    this.#stopped = true;
    this.plain?.stop();
  }

  /** A node has opened: it dials its peers, and is dialed. */
  opened(host: Host): void {
    const { random } = this.#parts;
    const clock = must(host.clock);
    const links = new Links({
      exchange: must(host.node).documents,
      dialer: this.network.dialer(host.number, clock),
      clock,
      random: new SeededRandom(random.u32()),
      logger: silentLogger,
      peers: this.#peersOf(host.number),
    });
    this.network.listen(host.number, {
      clock,
      accept: (link, query) => accept(links, link, query),
    });
    links.start();
  }

  died(host: Host, how: Death): void {
    this.network.gone(host.number, how === "power loss");
  }

  #peersOf(host: number): PeerAddress[] {
    const { hosts, shape } = this.#parts;
    const others = Array.from({ length: hosts }, (_, number) => number).filter((number) => {
      if (number === host) return false;
      if (shape.topology === "ring") return number === (host + 1) % hosts;
      return shape.topology === "both ways" || number < host;
    });
    const { plain } = this;
    if (plain !== undefined && shape.plain?.listens === true && host % 2 === 0)
      others.push(plain.host);
    return others.map((number) => addressOf(number));
  }

  #planCut(): void {
    const { time, random, shape } = this.#parts;
    time.after(drawInterval(random, shape.cutEveryMs), () => {
      if (this.#stopped) return;
      this.network.cut(chance(random, 0.3));
      this.#planCut();
    });
  }
}

/** What a server does with an upgrade. */
function accept(
  links: Links,
  link: MessageLink,
  query: ReadonlyMap<string, string>,
): number | null | undefined {
  if (query.get("truba") !== undefined) {
    links.acceptTruba(link);
    return protocolVersion;
  }
  links.acceptPlain(link, "default", {});
  return null;
}
