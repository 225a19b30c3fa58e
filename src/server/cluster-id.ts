/** Names of nodes as Redis Cluster has them: 40 hexadecimal digits. */
import type { Identity } from "../node/identity.ts";

/** A node's, which keeps it for ever: its number and the beginning of its cluster's id. */
export function clusterIdText(identity: Identity): string {
  return `${identity.nodeId.toString(16).padStart(16, "0")}${identity.clusterId.slice(0, 24)}`;
}
