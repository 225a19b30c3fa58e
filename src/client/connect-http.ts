/** `connect` for browsers: the client over HTTP. */
import { BrowserClock } from "../base/browser-clock.ts";
import { browserFetch, type Fetch } from "../base/browser-fetch.ts";
import { BrowserRandom } from "../base/browser-random.ts";
import { TrubaError } from "../base/errors.ts";
import { HttpChannel } from "./http-channel.ts";
import { Truba, type TrubaOptions } from "./truba.ts";

/** Options of `connect` in a browser. */
export interface HttpConnectOptions extends TrubaOptions {
  /** The token, for a node that wants one. */
  readonly token?: string;
  /** Instead of the platform's own. */
  readonly fetch?: Fetch;
}

/**
 * Connects to a node over HTTP; the node must allow the page's origin.
 *
 * ```ts
 * await using db = await connect("https://node.example:8080", { token });
 * await db.queue("default").push("hello");
 * ```
 *
 * Rejects with TrubaError NOCONNECTION when the node does not answer, NOAUTH or WRONGPASS when it wants a token or another one, BADVALUE for what is no URL. A consumer
 * keeps one connection open for its stream.
 */
export async function connect(url: string | URL, options: HttpConnectOptions = {}): Promise<Truba> {
  const clock = new BrowserClock();
  const random = new BrowserRandom();
  const channel = new HttpChannel({
    fetch: options.fetch ?? browserFetch,
    clock,
    url: originOf(url),
    token: options.token,
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

/** `https://host:port` and a path perhaps, without a slash at its end. */
function originOf(url: string | URL): string {
  const text = String(url);
  const known = URL.canParse(text) ? new URL(text) : undefined;
  if (known === undefined || !/^https?:$/.test(known.protocol))
    throw new TrubaError("BADVALUE", `${JSON.stringify(text)} is no URL of http: or https:`);
  return (known.origin + known.pathname).replace(/\/+$/, "");
}
