/** One connection at the door: what it has shown, what it may do, and how long it is listened to while it has shown nothing. Errors are in Redis' words. */
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Address } from "../base/network.ts";
import { type Access, type Grant, type NeededRole, allows } from "./access.ts";
import { type Failure, failure } from "./failure.ts";

export const noAuthentication = failure("NOAUTH", "Authentication required.");

const wrongToken = failure("WRONGPASS", "invalid username-password pair or user is disabled.");

/** A client that brings a password must not believe that it protects anything. */
const noTokens = failure(
  "ERR",
  "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);

/** How an attempt ended. `afterMs`: how long its answer is to be kept back. */
export interface Attempt {
  readonly failure: Failure | undefined;
  readonly afterMs: number;
}

const granted: Attempt = { failure: undefined, afterMs: 0 };

export class Admission {
  /** `undefined`: nothing may be done before a token is shown. */
  grant: Grant | undefined;
  readonly #access: Access;
  readonly #logger: Logger;
  readonly #remote: Address;
  #failures = 0;
  #requests = 0;

  constructor(parts: { access: Access; logger: Logger; remote: Address }) {
    this.#access = parts.access;
    this.#logger = parts.logger;
    this.#remote = parts.remote;
    this.grant = parts.access.unasked;
  }

  /** Whether the connection has had its chances and is to be closed once it is answered. */
  get exhausted(): boolean {
    if (this.#failures >= limits.authenticationFailuresMaxCount) return true;
    return this.grant === undefined && this.#requests >= limits.unauthenticatedMaxRequests;
  }

  /** What the connection may hold of a request that has not arrived whole, in bytes. */
  get heldMaxBytes(): number {
    return this.grant === undefined ? limits.unauthenticatedHeldMaxBytes : Infinity;
  }

  /**
   * Why a request is refused, or `undefined`. `needed` is `none` for those that stand before the door: AUTH, HELLO, QUIT. Called for every request,
   * also for one that is not known, which needs `read`.
   */
  refusalOf(needed: NeededRole | "none", name: string): Failure | undefined {
    const { grant } = this;
    if (grant === undefined) {
      this.#requests++;
      return needed === "none" ? undefined : noAuthentication;
    }
    if (needed === "none" || allows(grant, needed)) return undefined;
    return noPermission(grant, needed, name);
  }

  /** Takes what was shown. A failed attempt leaves things as they were. */
  attempt(secret: Uint8Array, name?: string): Attempt {
    if (!this.#access.required) return { failure: noTokens, afterMs: 0 };
    const grant = this.#access.authenticate(secret, name);
    if (grant !== undefined) {
      this.grant = grant;
      return granted;
    }
    this.#failures++;
    this.#logger.warn(
      { remote: this.#remote.host, failures: this.#failures, failuresOfAll: this.#access.failures },
      "a token was shown that is not known",
    );
    const afterMs = limits.authenticationFailureDelayMs * this.#failures;
    return { failure: wrongToken, afterMs };
  }

  /** As a new connection; its failures are not forgotten. */
  reset(): void {
    this.grant = this.#access.unasked;
  }
}

/** Redis' words, and which role would do. */
export function noPermission(grant: Grant, needed: NeededRole, name: string): Failure {
  return failure(
    "NOPERM",
    `User ${grant.name} has no permissions to run the '${name.toLowerCase()}' command; its token has the role ${grant.role}, and ${needed} is needed`,
  );
}
