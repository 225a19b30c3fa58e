/**
 * The examples of a page: each block of TypeScript is a program of its own, compiled under the strictest settings and run in a folder of its own; one that is marked
 * `ts continued` goes on where the block before it ended. What a program prints must be what stands behind `// →` in it, line by line.
 */
import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(import.meta.dirname, "..");

/** One program of a page. */
export interface Example {
  /** Line of the page on which it begins. */
  readonly line: number;
  readonly text: string;
  /** What it must print. */
  readonly expected: readonly string[];
}

/** The programs of a page, in order. */
export function examplesOf(page: string): Example[] {
  const programs: { line: number; text: string }[] = [];
  for (const block of page.matchAll(/^```(ts\b[^\n]*)\n([\s\S]*?)^```$/gm)) {
    const [, mark = "", text = ""] = block;
    const last = programs.at(-1);
    const line = page.slice(0, block.index).split("\n").length + 1;
    if (mark === "ts continued" && last !== undefined) last.text += text;
    else if (mark === "ts") programs.push({ line, text });
    else throw new Error(`line ${line - 1}: \`\`\`${mark} is neither "ts" nor "ts continued"`);
  }
  return programs.map(({ line, text }) => ({
    line,
    text,
    expected: [...text.matchAll(/\/\/ → (.*)$/gm)].map(([, printed = ""]) => printed.trimEnd()),
  }));
}

/** What came of the examples, by their order: what they printed, or how they failed. */
export interface Outcome {
  readonly printed: readonly string[];
  readonly error: string | undefined;
}

/** The examples as files of a folder, in which `truba` is this repository's source. */
export class ExampleFolder {
  readonly #path: string;
  readonly #examples: readonly Example[];

  /** `replaced`: what stands for each of these texts when the examples run, such as a free port for a well-known one. */
  constructor(
    path: string,
    examples: readonly Example[],
    replaced: Readonly<Record<string, string>>,
  ) {
    this.#path = path;
    this.#examples = examples;
    symlinkSync(join(repository, "node_modules"), join(path, "node_modules"), "dir");
    writeFileSync(join(path, "package.json"), `{ "type": "module" }`);
    writeFileSync(join(path, "tsconfig.json"), JSON.stringify(settings));
    for (const [i, { text }] of examples.entries()) {
      let changed = text;
      for (const [from, to] of Object.entries(replaced)) changed = changed.replaceAll(from, to);
      writeFileSync(join(path, `example-${i}.ts`), `${changed}\nexport {};\n`);
      mkdirSync(join(path, `place-${i}`));
    }
    writeFileSync(join(path, "run.mjs"), runner(examples.length));
  }

  /** What the compiler has to say, with lines of the page. */
  async typeErrors(): Promise<string> {
    const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
    const { output } = await this.#run([tsc, "-p", "."]);
    return output.replaceAll(
      /^example-(\d+)\.ts\((\d+),/gm,
      (_, number: string, line: string) =>
        `line ${Number(line) + (this.#examples[Number(number)]?.line ?? 0) - 1} (`,
    );
  }

  /** Runs them, one after the other. */
  async outcomes(): Promise<readonly Outcome[]> {
    const tsx = join(repository, "node_modules", "tsx", "dist", "esm", "index.mjs");
    const { output } = await this.#run(["--import", `file://${tsx}`, "run.mjs"]);
    const parts = output.split(/^\0begin\n/m).slice(1);
    return this.#examples.map((_, i) => {
      const [printed = "", end] = (parts[i] ?? "").split("\0end ");
      const lines = printed.split("\n").slice(0, -1);
      const ended = end?.trimEnd();
      const error = ended ?? "the process ended before the example did";
      return { printed: lines, error: error === "well" ? undefined : error };
    });
  }

  #run(args: readonly string[]): Promise<{ output: string }> {
    const child = spawn(process.execPath, args, {
      cwd: this.#path,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(this.#path, "tsconfig.json") },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", () => resolve({ output }));
    });
  }
}

/** The repository's own, and the package by its name. */
const settings = {
  extends: join(repository, "tsconfig.json"),
  compilerOptions: {
    typeRoots: [join(repository, "node_modules", "@types")],
    allowJs: false,
    checkJs: false,
    paths: {
      truba: [join(repository, "src", "index.ts")],
      "truba/browser": [join(repository, "src", "browser.ts")],
    },
  },
  include: ["example-*.ts"],
};

/** Runs each in its place. What they leave behind in the process, such as a timer, must not keep it from ending. */
function runner(count: number): string {
  return `
for (let i = 0; i < ${count}; i++) {
  process.chdir(new URL("place-" + i, import.meta.url).pathname);
  process.stdout.write("\\0begin\\n");
  try {
    await import("./example-" + i + ".ts");
    process.stdout.write("\\0end well\\n");
  } catch (error) {
    process.stdout.write("\\0end " + (error?.stack ?? error) + "\\n");
  }
}
`;
}
