/** One source file as the style checks see it: its syntax tree, its imports, its comments, and where lines begin. */
import { posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import type { Comment, Program } from "oxc-parser";

/** Something that breaks the style. */
export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  /** What is wrong and what to do. */
  readonly text: string;
}

export interface ImportOf {
  /** As written. */
  readonly specifier: string;
  /** The path inside the repository; `undefined` for a package or a part of Node. */
  readonly target: string | undefined;
  /** The imported names; `*` for all of them and for a default. */
  readonly names: readonly string[];
  readonly line: number;
}

/** An offset in the text, of a tree's node or a comment. */
interface At {
  readonly start: number;
}

export class Source {
  /** From the repository's folder, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly ImportOf[];
  /** Why the file could not be parsed, if so. */
  readonly parseError: string | undefined;
  readonly #lineStarts: readonly number[];

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.lines = text.replace(/\n$/, "").split("\n");
    const starts = [0];
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
    this.#lineStarts = starts;
    const parsed = parseSync(path, text);
    this.program = parsed.program;
    this.comments = parsed.comments;
    this.parseError = parsed.errors[0]?.message;
    this.imports = this.#collectImports();
  }

  /** The line, from 1, that holds an offset. */
  lineOf(at: At): number {
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#lineStarts[middle] ?? Infinity) <= at.start) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  finding(at: At, rule: string, text: string): Finding {
    return { path: this.path, line: this.lineOf(at), rule, text };
  }

  /** Static and dynamic imports, re-exports and `import("…")` types: whatever ties this file to another. */
  #collectImports(): ImportOf[] {
    const found: ImportOf[] = [];
    const add = (at: At, source: unknown, names: readonly string[]): void => {
      if (typeof source !== "string") return;
      const relative = source.startsWith("./") || source.startsWith("../");
      const target = relative ? posix.join(posix.dirname(this.path), source) : undefined;
      found.push({ specifier: source, target, names, line: this.lineOf(at) });
    };
    new Visitor({
      ImportDeclaration: (node) => {
        const names = node.specifiers.map((one) =>
          one.type === "ImportSpecifier" && one.imported.type === "Identifier"
            ? one.imported.name
            : "*",
        );
        add(node, node.source.value, names);
      },
      ExportNamedDeclaration: (node) => add(node, node.source?.value, ["*"]),
      ExportAllDeclaration: (node) => add(node, node.source.value, ["*"]),
      ImportExpression: (node) =>
        add(node, node.source.type === "Literal" ? node.source.value : undefined, ["*"]),
      TSImportType: (node) => add(node, node.source.value, []),
    }).visit(this.program);
    return found;
  }
}
