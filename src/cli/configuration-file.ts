/** The configuration file: YAML whose top level maps option names to plain values, each known by its line. */
import { readFileSync } from "node:fs";
import { isMap, isScalar, Lexer, LineCounter, parseDocument } from "yaml";
import { errorText, systemErrorCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { shown } from "./configuration-problem.ts";
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

/** One setting of the file. */
export interface FileSetting {
  readonly key: string;
  /** The value as it is written, without quotes. */
  readonly text: string;
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
 * one byte each, so few are taken in all; what nests by indentation costs ever more bytes, of which the file has few, unless
 * much of it stands on one line.
 */
function isDeep(text: string): boolean {
  let brackets = 0;
  let onThisLine = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === "\n" || token === "\r\n") onThisLine = 0;
    else if (token === "[" || token === "{") brackets++;
    else if (token === "-" || token === "?" || token === ":") onThisLine++;
    if (brackets > 64 || onThisLine > 8) return true;
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
  for (const { key, value } of root.items) {
    const keyText = plainText(key);
    const source = sourceAt(offsetOf(key));
    if (keyText === undefined) {
      problems.push({ source, text: "the name of an option must be plain text" });
      continue;
    }
    const valueText = value === null ? "" : plainText(value);
    if (valueText === undefined) {
      const name = shown(keyText);
      problems.push({ source, text: `${name} must have one plain value, no list, map or alias` });
      continue;
    }
    settings.push({ key: keyText, text: valueText, source });
  }
  return { settings, problems };
}

/** A scalar as it is written: `1e3` stays `1e3`, so that numbers are judged by one rule from every source. */
function plainText(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  if (node.value === null) return "";
  return typeof node.value === "string" ? node.value : (node.source ?? "");
}

function offsetOf(node: unknown): number {
  return isScalar(node) || isMap(node) ? (node.range?.[0] ?? 0) : 0;
}
