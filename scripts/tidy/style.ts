/** Names, lengths, headers, and the parts of TypeScript that this repository does without. */
import { posix } from "node:path";
import { Visitor } from "oxc-parser";
import type { Finding, Source } from "./source.ts";

export const fileMaxLines = 400;
/** Without blank lines and lines that are comments only. */
export const functionMaxLines = 90;

const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
const emptyNames = ["utils", "util", "helpers", "helper", "common", "misc", "types"];

/** Everything about one file that needs no other file. */
export function checkStyle(source: Source): Finding[] {
  if (source.parseError !== undefined) {
    return [{ path: source.path, line: 1, rule: "syntax", text: source.parseError }];
  }
  return [
    ...checkName(source),
    ...checkImports(source),
    ...checkHeader(source),
    ...checkComments(source),
    ...checkConstructs(source),
    ...checkLength(source),
  ];
}

function checkName(source: Source): Finding[] {
  const findings: Finding[] = [];
  const report = (text: string): void => {
    findings.push({ path: source.path, line: 1, rule: "name", text });
  };
  for (const part of source.path.split("/")) {
    if (!kebabCase.test(part)) report(`"${part}" is not kebab-case; rename it`);
    const bare = part.replace(/\..*$/, "");
    if (emptyNames.includes(bare)) report(`"${bare}" says nothing; name it after what it holds`);
  }
  const index = posix.basename(source.path) === "index.ts" && source.path.startsWith("src/");
  if (index && source.path !== "src/index.ts") {
    report("src/index.ts is the only door; import the files themselves");
  }
  return findings;
}

function checkImports(source: Source): Finding[] {
  const findings: Finding[] = [];
  for (const { specifier, target, line } of source.imports) {
    if (target === undefined || /\.(ts|mjs|json)$/.test(target)) continue;
    // Scripts of pages are served as they stand, so they are plain JavaScript.
    if (/^web\/.*\.js$/.test(target)) continue;
    const text = `"${specifier}" has no .ts; write the whole file name`;
    findings.push({ path: source.path, line, rule: "import", text });
  }
  return findings;
}

function checkHeader(source: Source): Finding[] {
  // A test's titles say what it is.
  if (source.path.startsWith("test/")) return [];
  const first = source.program.body.find((node) => node.type !== "ImportDeclaration");
  const end = first?.start ?? source.text.length;
  const header = source.comments.some((one) => one.type === "Block" && one.start < end);
  if (header) return [];
  const text = "no header; say in a /** comment */ before the code what the file is and why";
  return [{ path: source.path, line: 1, rule: "header", text }];
}

function checkComments(source: Source): Finding[] {
  const findings: Finding[] = [];
  for (const comment of source.comments) {
    const word = /\b(TODO|FIXME|XXX)\b/.exec(comment.value)?.[0];
    if (word !== undefined && source.path.startsWith("src/")) {
      findings.push(source.finding(comment, "comment", `${word}: do it, or make it an issue`));
    }
    const silence = /@ts-(ignore|nocheck|expect-error)|(ox|es)lint-disable/.exec(
      comment.value,
    )?.[0];
    if (silence !== undefined) {
      findings.push(source.finding(comment, "comment", `${silence}: mend the cause instead`));
    }
  }
  return findings;
}

function checkConstructs(source: Source): Finding[] {
  const findings: Finding[] = [];
  const report = (node: { start: number }, text: string): void => {
    findings.push(source.finding(node, "construct", text));
  };
  new Visitor({
    TSAnyKeyword: (node) => report(node, "any: use unknown and a guard"),
    TSNonNullExpression: (node) => report(node, "!: use must() of src/base/assert.ts, or a branch"),
    TSEnumDeclaration: (node) => report(node, "enum: use a union of strings, or a const table"),
    TSParameterProperty: (node) => report(node, "parameter property: declare the field"),
    TSModuleDeclaration: (node) => report(node, "namespace: use a file"),
    ExportDefaultDeclaration: (node) => report(node, "default export: give it a name"),
  }).visit(source.program);

  if (!source.path.startsWith("src/")) return findings;
  for (const node of source.program.body) {
    const declared = node.type === "ExportNamedDeclaration" ? node.declaration : node;
    if (declared?.type !== "VariableDeclaration" || declared.kind === "const") continue;
    report(declared, `${declared.kind} of a module: state belongs to an object with an owner`);
  }
  return findings;
}

function checkLength(source: Source): Finding[] {
  const findings: Finding[] = [];
  const { path, lines } = source;
  if (lines.length > fileMaxLines) {
    const text = `${lines.length} lines, at most ${fileMaxLines}; split it by what it owns`;
    findings.push({ path, line: lines.length, rule: "length", text });
  }
  if (path.startsWith("test/") || path.startsWith("bench/")) return findings;
  for (const one of functionsOf(source)) {
    if (one.lines <= functionMaxLines) continue;
    const text = `a function of ${one.lines} lines of code, at most ${functionMaxLines}; split it`;
    findings.push({ path, line: one.line, rule: "length", text });
  }
  return findings;
}

/** The functions of a file: where each starts and how many lines of code it has. */
export function functionsOf(source: Source): { line: number; lines: number }[] {
  const found: { line: number; lines: number }[] = [];
  const code = codeLines(source);
  const add = (node: { start: number; end: number }): void => {
    const line = source.lineOf(node);
    const last = source.lineOf({ start: node.end });
    found.push({ line, lines: code.slice(line - 1, last).filter(Boolean).length });
  };
  new Visitor({
    FunctionDeclaration: add,
    FunctionExpression: add,
    ArrowFunctionExpression: add,
  }).visit(source.program);
  return found;
}

/** For each line whether it has more than blanks and comments. */
function codeLines(source: Source): boolean[] {
  let text = source.text;
  for (const { start, end } of source.comments) {
    text = text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, " ") + text.slice(end);
  }
  return text.split("\n").map((line) => line.trim() !== "");
}
