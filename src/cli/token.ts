/** `truba token`: makes a secret, prints it once, and prints what truba.yaml is to hold of it. */
import { randomBytes } from "node:crypto";
import { stringify } from "yaml";
import { limits } from "../base/limits.ts";
import { hashOf, roles } from "../server/access.ts";
import type { TokenSettings } from "../server/access.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import { shown } from "../base/shown-value.ts";
import { jsonLine } from "./output.ts";
import { choice, listedName } from "./value-kinds.ts";
import type { ValueKind } from "./value-kinds.ts";

interface TokenOptions {
  readonly name: string;
  readonly role: string;
  readonly json: boolean;
}

/** What secrets begin with, so that programs that look for secrets in texts find ours. */
const secretStart = "truba_";

/** 256 bits: no one guesses them, so that a plain hash is enough to keep. */
const secretBytes = 32;

/** Throws CommandFailure for a name or a role that the configuration would refuse. */
export function runToken(options: TokenOptions): void {
  const name = valueOf("name", options.name, listedName({ maxBytes: limits.nameMaxBytes }));
  const role = valueOf(
    "role",
    options.role,
    choice(roles, (word) => word),
  );
  const secret = secretStart + randomBytes(secretBytes).toString("base64url");
  const token: TokenSettings = { name, role, sha256: hashOf(Buffer.from(secret)).toString("hex") };
  if (options.json) process.stdout.write(jsonLine({ ...token, secret }));
  else process.stdout.write(tokenText(token, secret));
}

function valueOf<Value>(option: string, given: string, kind: ValueKind<Value>): Value {
  const result = kind.schema.safeParse(given);
  if (result.success) return result.data;
  throw new CommandFailure(
    `--${option} is ${shown(given)}; it must be ${kind.range}`,
    badUsageExitCode,
  );
}

function tokenText(token: TokenSettings, secret: string): string {
  return [
    "The token, to be given to whoever may use it. It is shown this once and kept nowhere:",
    "",
    `  ${secret}`,
    "",
    "What truba.yaml needs of it; further tokens stand in the same list:",
    "",
    stringify({ tokens: [token] }).trimEnd(),
    "",
  ].join("\n");
}
