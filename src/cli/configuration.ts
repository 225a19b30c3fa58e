/**
 * The configuration of a node: defaults, file, environment and flags, in rising order, checked by the one table of
 * options. All problems are found in one go, each with the place where it stands; nothing here throws on what it is given.
 */
import type { TlsFiles } from "../base/node-tls.ts";
import { addressText, isLoopback } from "./address.ts";
import { readConfigurationFile } from "./configuration-file.ts";
import type { ConfigurationFiles, FileSetting } from "./configuration-file.ts";
import { flagTexts, unplacedProblems } from "./configuration-flags.ts";
import { shown } from "../base/shown-value.ts";
import { suggestion } from "./configuration-problem.ts";
import type { Problem } from "./configuration-problem.ts";
import { readSections, sectionNames } from "./configuration-sections.ts";
import type { Sections } from "./configuration-sections.ts";
import { environmentNameOf, keyOf, optionNames, options } from "./options.ts";
import type { Configuration, OptionName } from "./options.ts";
import { tokenVariable } from "./reach.ts";
import { readPeerToken } from "./peer-token.ts";
import { readTlsFiles } from "./tls-files.ts";
import type { NamedFile } from "./tls-files.ts";

/** The exit code of a process that refuses its configuration. */
export const badConfigurationExitCode = 2;

const defaultFile = "truba.yaml";

/**
 * Kubernetes and Docker describe a service named `truba`, or `truba-…`, to every container by variables of these forms,
 * which nobody asked for and which are no options.
 */
const serviceVariable =
  /^TRUBA_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

export interface ConfigurationSources {
  /** What commander gives for the flags: `opts()`. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Arguments that commander did not know. */
  readonly unplaced?: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: ConfigurationFiles;
}

export interface LoadedConfiguration {
  /** Only if there is no problem. */
  readonly values: Configuration | undefined;
  /** What only the file can say. */
  readonly sections: Sections;
  /** `undefined`: no TLS. */
  readonly tls: TlsFiles | undefined;
  /** What peers of documents are shown; `undefined`: nothing. */
  readonly peerToken: string | undefined;
  /** In the order file, environment, flags, and what does not fit together last. */
  readonly problems: readonly Problem[];
  /** Where each value comes from: `default`, `truba.yaml:12`, `TRUBA_PARTITIONS`, `--partitions`. */
  readonly sources: ReadonlyMap<OptionName, string>;
}

/** Reads all sources. Never throws on what they hold. */
export function loadConfiguration(given: ConfigurationSources): LoadedConfiguration {
  const layers = new Layers();
  const flags = flagTexts(given.flags);
  for (const name of optionNames) {
    const text = options[name].default;
    if (text !== undefined) layers.set(name, text, "default");
  }
  const configuredFile = flags.get("config") ?? given.environment[environmentNameOf("config")];
  const sections = readFile(layers, given.files, configuredFile);
  readEnvironment(layers, given.environment);
  for (const [name, text] of flags) layers.set(name, text, `--${keyOf(name)}`);
  layers.problems.push(...unplacedProblems(given.unplaced ?? []));
  checkReach(layers, sections);
  const tls = loadTls(layers, given.files);
  const tokenFile = sections.documents?.peerTokenFile;
  const peerToken = tokenFile && readPeerToken(given.files, tokenFile, layers.problems);
  return {
    values: layers.problems.length === 0 ? layers.all() : undefined,
    sections,
    tls,
    peerToken,
    problems: layers.problems,
    sources: layers.sources,
  };
}

/** The values gathered so far, each source over those before it. */
class Layers {
  readonly problems: Problem[] = [];
  readonly sources = new Map<OptionName, string>();
  readonly #values = new Map<OptionName, unknown>();
  readonly #refused = new Set<OptionName>();

  /** Takes the text of one source for an option, or notes the problem with it. */
  set(name: OptionName, text: string, source: string): void {
    const { schema, range } = options[name];
    const result = schema.safeParse(text);
    if (!result.success) {
      this.#refused.add(name);
      const value = text === "" ? "empty" : shown(text);
      this.problems.push({ source, text: `${keyOf(name)} is ${value}; it must be ${range}` });
      return;
    }
    this.#values.set(name, result.data);
    this.sources.set(name, source);
  }

  /** Whether every source's text for the option was taken. */
  isSound(name: OptionName): boolean {
    return !this.#refused.has(name);
  }

  /** Every option of the table; each value is what its schema made. */
  all(): Configuration {
    const values = optionNames.map((name) => [name, this.#values.get(name)]);
    return Object.fromEntries(values) as Configuration;
  }
}

/** Takes the options that the file sets, and returns its sections. */
function readFile(
  layers: Layers,
  files: ConfigurationFiles,
  configured: string | undefined,
): Sections {
  // A path that its own check refuses is a problem of that check.
  if (configured !== undefined && !options.config.schema.safeParse(configured).success) {
    return readSections([], layers.problems);
  }
  const path = configured ?? defaultFile;
  const { settings, problems } = readConfigurationFile(files, path, {
    required: configured !== undefined,
  });
  layers.problems.push(...problems);
  const names = new Map(
    optionNames.filter((name) => options[name].inFile).map((name) => [keyOf(name), name]),
  );
  const sections: FileSetting[] = [];
  for (const setting of settings) {
    const { key, value, source } = setting;
    const name = names.get(key);
    if (sectionNames.some((section) => section === key)) sections.push(setting);
    else if (name === undefined) {
      const hint = suggestion(key, [...names.keys(), ...sectionNames]);
      layers.problems.push({ source, text: `${shown(key)} is not an option of the file${hint}` });
    } else if (value.kind === "plain") layers.set(name, value.text, source);
    else {
      const text = `${shown(key)} must have one plain value, no list, map or alias`;
      layers.problems.push({ source, text });
    }
  }
  const read = readSections(sections, layers.problems);
  const peers = read.documents?.peers;
  if (peers !== undefined) layers.set("documentPeers", peers.text, peers.source);
  return read;
}

function readEnvironment(layers: Layers, environment: ConfigurationSources["environment"]): void {
  const names = new Map(optionNames.map((name) => [environmentNameOf(name), name]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith("TRUBA_") || text === undefined || variable === tokenVariable)
      continue;
    const name = names.get(variable);
    if (name !== undefined) layers.set(name, text, variable);
    else if (!serviceVariable.test(variable)) {
      const hint = suggestion(variable, [...names.keys()]);
      layers.problems.push({ source: variable, text: `is not an option${hint}` });
    }
  }
}

/** What other machines can reach must be protected. */
function checkReach(layers: Layers, { tokens }: Sections): void {
  const all = layers.all();
  if (!layers.isSound("insecure") || all.insecure || tokens.length > 0) return;
  for (const name of ["listen", "http"] as const) {
    const address = all[name];
    if (!layers.isSound(name) || address === "off" || isLoopback(address.host)) continue;
    layers.problems.push({
      source: layers.sources.get(name) ?? name,
      text:
        `${addressText(address)} can be reached from other machines, and there is no authentication: whoever reaches it may ` +
        "read and write everything. Make a token with `truba token`, listen on 127.0.0.1, or accept that with --insecure",
    });
  }
}

/** Reads what TLS needs, if it is asked for. */
function loadTls(layers: Layers, files: ConfigurationFiles): TlsFiles | undefined {
  const named = (name: "tlsCert" | "tlsKey" | "tlsClientCa"): NamedFile | undefined => {
    const path = layers.all()[name];
    return path === undefined
      ? undefined
      : { path, source: layers.sources.get(name) ?? keyOf(name) };
  };
  const certificate = named("tlsCert");
  const key = named("tlsKey");
  const clientAuthorities = named("tlsClientCa");
  const needs = (given: NamedFile | undefined, text: string): void => {
    if (given !== undefined) layers.problems.push({ source: given.source, text });
  };
  if (certificate === undefined || key === undefined) {
    // One that was given and refused is told already.
    if (!layers.isSound("tlsCert") || !layers.isSound("tlsKey")) return undefined;
    needs(certificate, "tls-cert needs tls-key, the private key of the certificate");
    needs(key, "tls-key needs tls-cert, the certificate of the key");
    if (certificate === undefined && key === undefined) {
      needs(
        clientAuthorities,
        "tls-client-ca needs tls-cert and tls-key: without TLS no client shows a certificate",
      );
    }
    return undefined;
  }
  return readTlsFiles(files, { certificate, key, clientAuthorities }, layers.problems);
}
