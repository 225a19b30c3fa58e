/** `truba config check`: the problems of a configuration, or `ok` and what holds, with the source of each value. Exit code 2 if there are problems. Secrets are in no configuration. */
import type { KindSettings } from "../machines/sessions/kinds.ts";
import { addressText } from "./address.ts";
import { systemConfigurationFiles } from "./configuration-file.ts";
import { problemsText } from "./configuration-problem.ts";
import { badConfigurationExitCode, loadConfiguration } from "./configuration.ts";
import type { LoadedConfiguration } from "./configuration.ts";
import { environmentNameOf, keyOf, optionNames } from "./options.ts";
import type { Configuration } from "./options.ts";
import { jsonLine, tableText } from "./output.ts";
import { endOfCertificate } from "./tls-files.ts";

interface CheckOptions {
  readonly config?: string | undefined;
  readonly json: boolean;
}

export function runConfigCheck(options: CheckOptions): void {
  const loaded = loadConfiguration({
    flags: options.config === undefined ? {} : { config: options.config },
    environment: process.env,
    files: systemConfigurationFiles,
  });
  const { values, problems } = loaded;
  if (values === undefined) process.exitCode = badConfigurationExitCode;
  if (options.json) {
    process.stdout.write(jsonLine({ ok: values !== undefined, problems, ...effective(loaded) }));
  } else if (values === undefined) process.stderr.write(`${problemsText(problems)}\n`);
  else process.stdout.write(`ok\n\n${effectiveText(loaded)}`);
}

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly source: string;
}

interface Effective {
  readonly settings: readonly Setting[];
  readonly tokens: readonly { readonly name: string; readonly role: string }[];
  readonly sessions: readonly KindSettings[];
}

/** What holds; without values, when there are problems, nothing does. */
function effective({ values, sources, sections }: LoadedConfiguration): Effective {
  if (values === undefined) return { settings: [], tokens: [], sessions: [] };
  const settings = optionNames.map((name) => ({
    name: keyOf(name),
    value: valueText(values[name]),
    source: sources.get(name) ?? `not set (${environmentNameOf(name)})`,
  }));
  const tokens = sections.tokens.map(({ name, role }) => ({ name, role }));
  return { settings, tokens, sessions: sections.sessions ?? [] };
}

function valueText(value: Configuration[keyof Configuration]): string {
  if (value === undefined) return "-";
  if (typeof value !== "object") return String(value);
  if ("host" in value) return addressText(value);
  return value.map((one) => (typeof one === "string" ? one : one.text)).join(",");
}

function effectiveText(loaded: LoadedConfiguration): string {
  const { settings, tokens, sessions } = effective(loaded);
  const parts = [
    tableText(
      [{ title: "Setting" }, { title: "Value" }, { title: "From" }],
      settings.map(({ name, value, source }) => [name, value, source]),
    ),
  ];
  if (loaded.tls !== undefined) {
    const ends = endOfCertificate(loaded.tls.certificate).toISOString();
    parts.push(`The certificate ends ${ends}.\n`);
  }
  if (tokens.length > 0) {
    parts.push(
      tableText(
        [{ title: "Token" }, { title: "Role" }],
        tokens.map(({ name, role }) => [name, role]),
      ),
    );
  }
  if (sessions.length > 0) {
    parts.push(
      tableText(
        [
          { title: "Kind of sessions" },
          ...["Number", "Delay s", "Spread s", "Repeats", "Length B", "Silence s"].map((title) => ({
            title,
            align: "right" as const,
          })),
        ],
        sessions.map((kind) => [
          kind.name,
          kind.number,
          kind.delayMs / 1_000,
          kind.spreadMs / 1_000,
          kind.maxRepeats,
          kind.maxBytes,
          kind.silenceMs / 1_000,
        ]),
      ),
    );
  }
  return parts.join("\n");
}
