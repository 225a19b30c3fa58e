/**
 * Who may do what: tokens, each with a name and a role. Of a token's secret only the SHA-256 is kept. Secrets are 256 random bits, so that a
 * plain hash cannot be turned around by guessing; a hash that takes its time would only help those who flood the node with attempts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { assert } from "../base/assert.ts";

/**
 * - `read`: requests that change nothing.
 * - `write`: these, and requests that change data or take work.
 * - `admin`: these, and the administration of the server.
 * - `peer`: none of these; nodes of the cluster show such a token to each other.
 */
export type Role = (typeof roles)[number];

export const roles = ["read", "write", "admin", "peer"] as const;

/** The least role that a request takes. */
export type NeededRole = "read" | "write" | "admin";

/** What whoever showed a token may do. */
export interface Grant {
  /** The token's name. */
  readonly name: string;
  readonly role: Role;
}

/** A token as the configuration has it. */
export interface TokenSettings {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the secret's bytes, in 64 hexadecimal digits. */
  readonly sha256: string;
}

/** The name under which every token's secret is taken: what clients of Redis send when they were given a password only. */
export const anyName = "default";

/** Higher ranks may do what lower ones may. */
const ranks: Readonly<Record<Role, number>> = { peer: 0, read: 1, write: 2, admin: 3 };

/** Whether the grant reaches as far as the request. */
export function allows(grant: Grant, needed: NeededRole): boolean {
  return ranks[grant.role] >= ranks[needed];
}

/** The hash under which a secret is kept. */
export function hashOf(secret: Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}

interface Token {
  readonly grant: Grant;
  readonly hash: Buffer;
}

export class Access {
  /** Attempts that failed since the start. */
  failures = 0;
  readonly #tokens: readonly Token[];

  /** Without tokens everybody may do everything. */
  constructor(tokens: readonly TokenSettings[]) {
    this.#tokens = tokens.map(({ name, role, sha256 }) => {
      assert(/^[0-9a-f]{64}$/i.test(sha256), "the hash of a token is 64 hexadecimal digits");
      return { grant: { name, role }, hash: Buffer.from(sha256, "hex") };
    });
  }

  /** Whether a token must be shown. */
  get required(): boolean {
    return this.#tokens.length > 0;
  }

  /** What those may do who have shown nothing; `undefined`: nothing. */
  get unasked(): Grant | undefined {
    return this.required ? undefined : { name: anyName, role: "admin" };
  }

  /**
   * What the secret allows, or `undefined` if it is not known. With a `name` it must also be the one of that token. Takes as long whichever token
   * it is, or none: hashes are compared, all of them, each in constant time.
   */
  authenticate(secret: Uint8Array, name: string = anyName): Grant | undefined {
    if (!this.required) return this.unasked;
    const hash = hashOf(secret);
    let found: Grant | undefined;
    for (const token of this.#tokens) {
      const equal = timingSafeEqual(token.hash, hash);
      if (equal && (name === anyName || name === token.grant.name)) found = token.grant;
    }
    if (found === undefined) this.failures++;
    return found;
  }
}
