/** The flags by which commands reach a running node; the same for all of them. What they do is in reach.ts, which is loaded when a command runs. */
import type { Command, OptionValues } from "@commander-js/extra-typings";

/** The flags as commander gives them. */
export interface ReachFlags {
  readonly token?: string | undefined;
  readonly tls: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Adds them to a command. */
export function withReachFlags<Args extends unknown[], Options extends OptionValues>(
  command: Command<Args, Options>,
) {
  return command
    .option("--token <TOKEN>", "what the node knows you by (better: TRUBA_TOKEN)")
    .option("--tls", "speak TLS", false)
    .option("--ca <FILE>", "authorities to trust, in PEM; without it those of Node")
    .option("--cert <FILE>", "your certificate, in PEM, where the node wants one")
    .option("--key <FILE>", "its key, in PEM");
}
