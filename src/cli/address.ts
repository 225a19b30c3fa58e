/** Addresses as people write them: `127.0.0.1:8765`, `node-1.example:8765`, `[::1]:8765`. */
import { isIPv4, isIPv6 } from "node:net";
import type { Address } from "../base/network.ts";

const hostName =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;
const port = /^(0|[1-9]\d{0,4})$/;

/** The address in `HOST:PORT`, or `undefined` when the text is none. IPv6 stands in brackets. Port 0 means any free one. */
export function parseAddress(text: string): Address | undefined {
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([^:]+)$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, plain = "", digits = ""] = parts;
  const host = bracketed ?? plain;
  if (!port.test(digits) || Number(digits) > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(host) ? { host, port: Number(digits) } : undefined;
  // What looks like an IPv4 address must be one: `127.0.0.300` would pass as a name.
  const valid = /^[\d.]+$/.test(host) ? isIPv4(host) : hostName.test(host);
  return valid ? { host, port: Number(digits) } : undefined;
}

/** `HOST:PORT`, IPv6 in brackets: what {@link parseAddress} reads. */
export function addressText(address: Address): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Whether only programs on this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  if (!isIPv6(host)) return host.toLowerCase() === "localhost";
  // The URL parser writes every IPv6 address in its one shortest form.
  const shortest = new URL(`http://[${host.replace(/%.*/, "")}]`).hostname;
  return shortest === "[::1]" || /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(shortest);
}
