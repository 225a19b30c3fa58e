/** HEARTBEAT: what a client needs to find its way, answered locally and without a quorum. */
import type { ServerContext } from "./server-context.ts";

export interface Heartbeat {
  readonly cluster: string;
  /** Known nodes in join order, this one included. */
  readonly nodes: readonly { readonly address: string; readonly role: "leader" | "follower" }[];
  readonly replicationFactor: number;
  /** Server time, ms since 1970: clients make request ids from it. */
  readonly timeMs: number;
  /** Set while fewer nodes are known than the replication factor asks for. */
  readonly warning?: string;
}

export function heartbeatOf(context: ServerContext): Heartbeat {
  const { replicationFactor, clusterName } = context.node.identity;
  const nodes = [{ address: addressText(context.advertised), role: "leader" as const }];
  const heartbeat = {
    cluster: clusterName,
    nodes,
    replicationFactor,
    timeMs: context.clock.wallMs(),
  };
  if (nodes.length >= replicationFactor) return heartbeat;
  return {
    ...heartbeat,
    warning: `cluster size (${nodes.length}) is smaller than a replication factor (${replicationFactor})!`,
  };
}

/** HOST:PORT, an IPv6 host in brackets. */
export function addressText(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
