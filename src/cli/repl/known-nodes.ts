/** The nodes that a client knows: which to try when its own is gone, and which to leave out of the list because it has just lost them. */
import type { Address } from "../../base/network.ts";
import { parseAddress } from "../address.ts";

/** A node by the address it was reached at, and by what that stands for. */
export interface ReachedNode {
  readonly address: string;
  readonly remote: string;
}

export class KnownNodes {
  readonly #first: string;
  readonly #lostForMs: number;
  /** As the last heartbeat listed them. */
  #listed: readonly string[] = [];
  /** When each was lost. */
  readonly #lost = new Map<string, number>();

  /** `first` is where the user sent us; it is tried as long as we live. */
  constructor(first: string, lostForMs: number) {
    this.#first = first;
    this.#lostForMs = lostForMs;
  }

  /** Takes a heartbeat's list. A lost node that is not in it is known to be gone: when it is listed again, it is back. */
  learn(nodes: readonly string[], nowMs: number): void {
    this.#listed = nodes;
    for (const [address, lostMs] of this.#lost) {
      const isForgotten = nowMs - lostMs > this.#lostForMs;
      if (isForgotten || !nodes.includes(address)) this.#lost.delete(address);
    }
  }

  lose(node: ReachedNode, nowMs: number): void {
    this.#lost.set(node.address, nowMs);
    this.#lost.set(node.remote, nowMs);
  }

  found(node: ReachedNode): void {
    this.#lost.delete(node.address);
    this.#lost.delete(node.remote);
  }

  /** Those of the list that were not just lost. */
  alive(nodes: readonly string[], nowMs: number): readonly string[] {
    return nodes.filter(
      (address) => nowMs - (this.#lost.get(address) ?? -Infinity) > this.#lostForMs,
    );
  }

  /** Whom to try, in this order: live ones, those that joined last first; then where we began; then the lost ones. */
  candidates(nowMs: number): readonly Address[] {
    const alive = this.alive(this.#listed, nowMs).toReversed();
    const all = new Set([...alive, this.#first, ...this.#listed, ...this.#lost.keys()]);
    return [...all].map(parseAddress).filter((address) => address !== undefined);
  }
}
