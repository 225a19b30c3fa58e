/** The configuration file: YAML whose top level maps names of options to plain values, and names of sections to lists and maps. Each part is known by its line. */
import { readFileSync } from "node:fs";
import { isMap, isNode, isScalar, isSeq, Lexer, LineCounter, parseDocument } from "yaml";
import type { YAMLMap } from "yaml";
import { errorText, systemErrorCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Problem } from "./configuration-problem.ts";

/** Reads configuration files. Tests bring their own. */
export interface ConfigurationFiles {
  /** The content, or `undefined` if there is no such file. Throws the operating system's error for anything else. */
  read(path: string): Uint8Array | undefined;
}

/** The files of the machine. */
export const systemConfigurationFiles: ConfigurationFiles = {
  read(path) {
    try {
      return readFileSync(path);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  },
};

/** A value of the file. */
export type FileNode =
  | {
      readonly kind: "plain";
      /** As it is written, without quotes. */
      readonly text: string;
      readonly source: string;
    }
  | { readonly kind: "list"; readonly items: readonly FileNode[]; readonly source: string }
  | { readonly kind: "map"; readonly settings: readonly FileSetting[]; readonly source: string }
  /** An alias: one line would say many things. */
  | { readonly kind: "other"; readonly source: string };

/** A name of the file with its value. */
export interface FileSetting {
  readonly key: string;
  readonly value: FileNode;
  /** `truba.yaml:12` */
  readonly source: string;
}

interface FileContent {
  readonly settings: readonly FileSetting[];
  readonly problems: readonly Problem[];
}

/** Reads the file; never throws. A missing file is a problem only if it was asked for. */
export function readConfigurationFile(
  files: ConfigurationFiles,
  path: string,
  { required }: { required: boolean },
): FileContent {
  const failed = (text: string): FileContent => ({
    settings: [],
    problems: [{ source: path, text }],
  });
  let bytes: Uint8Array | undefined;
  try {
    bytes = files.read(path);
  } catch (error) {
    return failed(`cannot be read: ${errorText(error)}`);
  }
  if (bytes === undefined)
    return required ? failed("there is no such file") : { settings: [], problems: [] };
  if (bytes.length > limits.configurationMaxBytes) {
    const max = limits.configurationMaxBytes.toLocaleString("en-US");
    return failed(`has ${bytes.length.toLocaleString("en-US")} bytes; at most ${max} are read`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return failed("is not UTF-8 text");
  }
  if (isDeep(text)) return failed("is nested too deep; it must be lines of NAME: VALUE");
  return parseSettings(path, text);
}

/**
 * Whether lists and maps may be nested so deep that the parser, which recurses, would come near the end of its stack. There
 * the process dies, and no exception can be caught: V8 ends it when a regular expression must be compiled. Brackets nest at
 * one byte each, so few are taken in each other; what nests by indentation costs ever more bytes, of which the file has few,
 * unless much of it stands on one line.
 */
function isDeep(text: string): boolean {
  let depth = 0;
  let onThisLine = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "\n" || token === "\r\n") onThisLine = 0;
    else if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
    // Inside brackets a colon stands between a name and its value and nests nothing.
    else if (token === "-" || token === "?" || (token === ":" && depth === 0)) onThisLine++;
    if (depth > 16 || onThisLine > 8) return true;
  }
  return false;
}

function parseSettings(path: string, text: string): FileContent {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
  });
  const sourceAt = (offset: number): string => `${path}:${Math.max(1, lines.linePos(offset).line)}`;
  const settings: FileSetting[] = [];
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    source: sourceAt(error.pos[0]),
    text:
      error.code === "DUPLICATE_KEY"
        ? "the name stands here a second time"
        : `is not proper YAML: ${error.message}`,
  }));
  // After a syntax error the rest is guesswork and would only add noise.
  if (document.errors.some((error) => error.code !== "DUPLICATE_KEY"))
    return { settings, problems };

  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { settings, problems };
  if (!isMap(root)) {
    const source = sourceAt(root.range?.[0] ?? 0);
    problems.push({ source, text: "must be lines of NAME: VALUE" });
    return { settings, problems };
  }
  const reader = new NodeReader(sourceAt, problems);
  settings.push(...reader.settingsOf(root));
  return { settings, problems };
}

/** Turns the parser's nodes into ours. */
class NodeReader {
  readonly #sourceAt: (offset: number) => string;
  readonly #problems: Problem[];

  constructor(sourceAt: (offset: number) => string, problems: Problem[]) {
    this.#sourceAt = sourceAt;
    this.#problems = problems;
  }

  settingsOf(map: YAMLMap): FileSetting[] {
    const settings: FileSetting[] = [];
    for (const { key, value } of map.items) {
      const keyText = plainText(key);
      const source = this.#sourceAt(offsetOf(key));
      if (keyText === undefined) {
        this.#problems.push({ source, text: "the name of an option must be plain text" });
      } else settings.push({ key: keyText, value: this.#node(value, source), source });
    }
    return settings;
  }

  /** `source` is where it stands if it is nothing that stands anywhere. */
  #node(value: unknown, source: string): FileNode {
    if (value === null) return { kind: "plain", text: "", source };
    const text = plainText(value);
    // A plain value is known by the line of its name, also where it begins on the next.
    if (text !== undefined) return { kind: "plain", text, source };
    if (isMap(value)) return { kind: "map", settings: this.settingsOf(value), source };
    if (!isSeq(value)) return { kind: "other", source };
    const items = value.items.map((item) => this.#node(item, this.#sourceAt(offsetOf(item))));
    return { kind: "list", items, source };
  }
}

/** A scalar as it is written: `1e3` stays `1e3`, so that numbers are judged by one rule from every source. */
function plainText(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  if (node.value === null) return "";
  return typeof node.value === "string" ? node.value : (node.source ?? "");
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
