/** Addresses of nodes, as `connect` takes them. */
import { TrubaError } from "../base/errors.ts";
import type { Address } from "../base/network.ts";

const defaultPort = 8_765;

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT`, each with `truba://` before it perhaps. Throws TrubaError BADVALUE. */
export function parseAddress(text: string): Address {
  const parts = /^(?:truba:\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(
    text,
  );
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? defaultPort : Number(parts[3]);
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new TrubaError(
    "BADVALUE",
    `${JSON.stringify(text)} is no address of a node; it must be HOST, HOST:PORT or [IPV6]:PORT`,
  );
}

/** `HOST:PORT`. */
export function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
