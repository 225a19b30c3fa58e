/**
 * Who may ask: the browser's rules first, then the token.
 *
 * - A page of another origin may use this node only if the configuration names its origin. Browsers tell the origin of a page in `Origin`; where they leave it out, for
 *   what a page embeds, they tell in `Sec-Fetch-Site` whether it is another one.
 * - A page can make its own name point at this machine (DNS rebinding), and is then of the same origin as the node. So a node that listens on loopback answers only to
 *   names that nobody else can have: loopback names, addresses, and the one that it advertises.
 * - The course exercise wants its addresses open to pages of any origin, files on disk among them. They are where the node listens on loopback and has no tokens, and
 *   nowhere else: who can reach such a node runs on this machine.
 */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { type Access, type Grant, allows } from "../access.ts";
import { Refusal } from "./problem.ts";
import type { RouteRole } from "./route.ts";

export interface AdmittanceParts {
  readonly access: Access;
  /** Of other pages, as browsers write them. */
  readonly origins: readonly string[];
  /** Hosts that are this node's by configuration: what it listens on and what it advertises. */
  readonly hosts: readonly string[];
  readonly listensOnLoopback: boolean;
}

const bearer = /^Bearer +([\x21-\x7e]+) *$/i;

export class Admittance {
  readonly #parts: AdmittanceParts;
  readonly #origins: ReadonlySet<string>;

  constructor(parts: AdmittanceParts) {
    this.#parts = parts;
    this.#origins = new Set(parts.origins.map((origin) => origin.toLowerCase()));
  }

  /** Throws Refusal BADORIGIN if the request is meant for another host. */
  checkHost({ host }: IncomingHttpHeaders): void {
    if (!this.#parts.listensOnLoopback || host === undefined) return;
    if (this.#isOwnHost(host)) return;
    throw new Refusal(
      "BADORIGIN",
      `the host is ${JSON.stringify(host)}; this node listens on loopback and answers to localhost, to addresses and to the host that it advertises`,
    );
  }

  /** Whether pages of any origin may use the exercise's addresses. */
  get openToPages(): boolean {
    return this.#parts.listensOnLoopback && !this.#parts.access.required;
  }

  /** Throws Refusal BADORIGIN if a page of an origin that is neither the node's nor allowed asks; `exercise`: for one of the exercise's addresses. */
  checkOrigin(headers: IncomingHttpHeaders, secure: boolean, exercise = false): void {
    if (exercise && this.openToPages) return;
    const { origin, "sec-fetch-site": site } = headers;
    if (origin === undefined) {
      if (site === undefined || site === "same-origin" || site === "none") return;
      throw new Refusal(
        "BADORIGIN",
        "a page of another origin has embedded or linked this address",
      );
    }
    if (this.allowsOrigin(origin) || this.#isOwnOrigin(origin, headers.host, secure)) return;
    throw new Refusal(
      "BADORIGIN",
      `the origin ${JSON.stringify(origin)} is not one that the configuration allows`,
    );
  }

  /** Whether the configuration names the origin, or the address is one of the exercise's and open to all. */
  allowsOrigin(origin: string, exercise = false): boolean {
    return (exercise && this.openToPages) || this.#origins.has(origin.toLowerCase());
  }

  /** What the request may do. Throws Refusal NOAUTH, WRONGPASS or NOPERM. */
  grant(headers: IncomingHttpHeaders, role: RouteRole): Grant {
    const { access } = this.#parts;
    const given = role === "public" ? publicGrant : this.#tokenGrant(headers);
    if (role === "public" || allows(given, role)) return given;
    throw new Refusal(
      "NOPERM",
      `the token ${JSON.stringify(given.name)} has the role ${given.role}; this takes ${role}`,
      access.required
        ? { headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } }
        : {},
    );
  }

  /** What a node may do that wants to link itself to this one. Throws Refusal NOAUTH, WRONGPASS or NOPERM. */
  peerGrant(headers: IncomingHttpHeaders): Grant {
    const given = this.#tokenGrant(headers);
    if (given.role === "peer" || allows(given, "admin")) return given;
    throw new Refusal(
      "NOPERM",
      `the token ${JSON.stringify(given.name)} has the role ${given.role}; links between nodes take peer`,
    );
  }

  #tokenGrant(headers: IncomingHttpHeaders): Grant {
    const { access } = this.#parts;
    if (access.unasked !== undefined) return access.unasked;
    const { authorization = offeredToken(headers) } = headers;
    if (authorization === undefined)
      throw new Refusal("NOAUTH", "the node wants a token: Authorization: Bearer TOKEN", {
        headers: { "www-authenticate": "Bearer" },
      });
    const secret = bearer.exec(authorization)?.[1];
    const grant =
      secret === undefined ? undefined : access.authenticate(Buffer.from(secret, "latin1"));
    if (grant !== undefined) return grant;
    throw new Refusal("WRONGPASS", "the node does not know the token", {
      headers: { "www-authenticate": 'Bearer error="invalid_token"' },
    });
  }

  #isOwnOrigin(origin: string, host: string | undefined, secure: boolean): boolean {
    if (host === undefined || !this.#isOwnHost(host)) return false;
    return origin.toLowerCase() === `${secure ? "https" : "http"}://${host.toLowerCase()}`;
  }

  /** A name that cannot be made to point here by whoever owns it, because nobody does, or we. */
  #isOwnHost(host: string): boolean {
    const name = hostName(host);
    return (
      isLoopbackName(name) ||
      isIP(name) !== 0 ||
      this.#parts.hosts.some((own) => own.toLowerCase() === name)
    );
  }
}

const publicGrant: Grant = { name: "default", role: "read" };

/**
 * A page can send no header with a WebSocket, but names of subprotocols. It offers `truba`, which is the one that is taken, and after it `truba.bearer.` with the token in base64url. Unlike
 * in the address, it does not get into logs there.
 */
function offeredToken(headers: IncomingHttpHeaders): string | undefined {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
  const token = offered.find((name) => name.startsWith(tokenProtocol));
  if (token === undefined || offered[0] !== "truba") return undefined;
  return `Bearer ${Buffer.from(token.slice(tokenProtocol.length), "base64url").toString("latin1")}`;
}

const tokenProtocol = "truba.bearer.";

/** Without the port, in small letters; an IPv6 address without its brackets. */
function hostName(host: string): string {
  const name = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host);
  return (name?.[1] ?? name?.[2] ?? host).toLowerCase();
}

function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return isLoopbackName(host.toLowerCase()) || host === "::1" || /^(::ffff:)?127\./i.test(host);
}
