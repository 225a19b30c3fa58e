/** `connect` for Node: the client over TCP. */
import { TrubaError } from "../base/errors.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { NodeTlsNetwork, type TlsTrust } from "../base/node-tls-network.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import { parseAddress } from "./addresses.ts";
import { RespChannel } from "./resp-channel.ts";
import { Truba, type TrubaOptions } from "./truba.ts";

/** Options of `connect`. */
export interface ConnectOptions extends TrubaOptions {
  /** The token, for a node that wants one. */
  readonly token?: string;
  /** Speaks TLS; `true` trusts the authorities of the system. */
  readonly tls?: true | TlsTrust;
  /** What the connection calls itself in the node's list of clients. Printable ASCII without blanks. */
  readonly name?: string;
}

/**
 * Connects to a node, or to several of a cluster: each is tried in turn, and again whenever the connection is lost.
 *
 * ```ts
 * await using db = await connect("127.0.0.1:8765");
 * await db.queue("default").push("hello");
 * ```
 *
 * `addresses` are HOST, HOST:PORT or [IPV6]:PORT; the port is 8765 unless named. Rejects with TrubaError NOCONNECTION when no address answers, NOAUTH or WRONGPASS
 * when the node wants a token or another one, BADVALUE for what is no address.
 */
export async function connect(
  addresses: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Truba> {
  const list = typeof addresses === "string" ? [addresses] : addresses;
  if (list.length === 0) throw new TrubaError("BADVALUE", "connect needs an address");
  const clock = new SystemClock({ keepsAlive: true });
  const random = new SystemRandom();
  const channel = new RespChannel({
    network: options.tls === undefined ? new NodeNetwork() : tlsNetwork(options.tls),
    clock,
    random,
    addresses: list.map(parseAddress),
    token: options.token,
    name: options.name,
  });
  const db = new Truba(channel, { clock, random }, options);
  try {
    await channel.ready();
  } catch (error) {
    await db.close();
    throw error;
  }
  return db;
}

function tlsNetwork(tls: true | TlsTrust): NodeTlsNetwork {
  return new NodeTlsNetwork(tls === true ? {} : tls);
}
