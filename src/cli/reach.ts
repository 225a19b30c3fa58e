/** How commands reach a running node: plainly or by TLS, and with which token. */
import { readFileSync } from "node:fs";
import { errorText } from "../base/errors.ts";
import type { Network } from "../base/network.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { NodeTlsNetwork } from "../base/node-tls-network.ts";
import { shown } from "../base/shown-value.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import type { ReachFlags } from "./reach-flags.ts";

/** Names a token for every command; what stands on a command line can be seen by other users of the machine. */
export const tokenVariable = "TRUBA_TOKEN";

export function tokenOf({ token }: ReachFlags): string | undefined {
  return token ?? (process.env[tokenVariable] || undefined);
}

/** TLS if it is asked for, by its flag or by one that has no other meaning. Throws CommandFailure for files that cannot be read. */
export function networkOf({ tls, ca, cert, key }: ReachFlags): Network {
  if ((cert === undefined) !== (key === undefined))
    throw new CommandFailure("--cert and --key go together", badUsageExitCode);
  if (!tls && ca === undefined && cert === undefined) return new NodeNetwork();
  return new NodeTlsNetwork({
    authorities: fileOf("--ca", ca),
    certificate: fileOf("--cert", cert),
    key: fileOf("--key", key),
  });
}

function fileOf(flag: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const text = `${flag} ${shown(path)} cannot be read: ${errorText(error)}`;
    throw new CommandFailure(text, badUsageExitCode);
  }
}
