/** The package: what `npm pack` makes installs into an empty project, has types for every resolution, and its browser door runs in a browser as it is. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join, normalize, relative } from "node:path";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";
import { chromium } from "playwright-core";
import { publint } from "publint";
import {
  install,
  noRegistry,
  ofRepository,
  pack,
  type Packed,
  packageRoot,
  runNode,
} from "./fixtures/packed.ts";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const tarballMaxBytes = 700_000;
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const noChromium: string | false = existsSync(executablePath)
  ? false
  : `${executablePath} is missing: the browser door was not tried in a browser`;

/** Uses values and types of the door, as a user under the strictest settings would. */
const usage = `
import { connect, open, queue, records, session, TrubaError, VirtualClock } from "truba";
import type { ErrorCode, Queue, Session, Task } from "truba";

const emails = queue("{shop}emails", { priorities: "any", lease: "1m", deadLetter: true });
const checkout = session("checkout", { silence: "15s" });
const clock = new VirtualClock();
const db = await open({ memory: true, clock, sessions: [checkout] });
const typed: Queue<Uint8Array | string, Uint8Array> = db.queue(emails);
await typed.create();
await typed.push("hello", { priority: 3n, delay: "1h" });
await clock.advance(3_600_000);
const task: Task<Uint8Array> | undefined = await typed.pop();
if (task === undefined) throw new Error("no task");
const owned: Session<Uint8Array | string, Uint8Array> = await db.sessions(checkout).new("first", { tag: "shop" });
const key = "{shop}" + crypto.randomUUID();
const done = await db.atomic((group) => {
  group.ack(task);
  group.session(owned).delete();
  return group.records(records()).set(key, "written");
});
const version: number = done.value.version;
// @ts-expect-error a number is no task
await typed.push(1).catch(() => {});
const code: ErrorCode = await db.queue("missing").push("x").then(
  () => { throw new Error("there is such a queue"); },
  (error: unknown) => { if (error instanceof TrubaError) return error.code; throw error; },
);
await db.close();
console.log(code, version > 0, Buffer.from(task.value).toString(), typeof connect);
`;

const browserUsage = `
import { connect, queue, TrubaError, type Task, type HttpConnectOptions } from "truba/browser";
import { connect as same } from "truba";
const options: HttpConnectOptions = { token: "secret", timeout: "5s" };
export async function next(): Promise<Task<Uint8Array> | undefined> {
  const db = await connect(new URL("https://node.example"), options);
  try { return await db.queue(queue("q")).pop(); }
  catch (error) { if (error instanceof TrubaError && error.retryable) return undefined; throw error; }
  finally { await db.close(); }
}
same satisfies typeof connect;
`;

const page = `<!doctype html><meta charset="utf-8"><title>truba</title><script type="module">
import { connect, queue, records, TrubaError } from "/truba/browser.js";
const bytes = new TextDecoder();
globalThis.outcome = (async () => {
  const db = await connect(new URL(location.href).searchParams.get("node"));
  const orders = db.queue(queue("{shop}orders", { priorities: "any" }));
  await orders.create();
  await Promise.all([3, 1, 2].map((priority) => orders.push("order " + priority, { priority })));
  const seen = [];
  for await (const task of orders.consume({ prefetch: 2 })) {
    seen.push(bytes.decode(task.value));
    await task.ack();
    if (seen.length === 3) break;
  }
  const key = "{shop}" + crypto.randomUUID();
  await db.atomic((group) => {
    group.queue("{shop}orders").push("last", { priority: 9007199254740993n });
    group.records(records()).set(key, "written");
  });
  const record = await db.records().get(key);
  const last = await orders.pop({ wait: "5s" });
  const refused = await db.queue("missing").push("x").catch((error) => error instanceof TrubaError && error.code);
  await last.ack();
  await db.close();
  return { seen, record: bytes.decode(record.value), priority: String(last.priority), refused };
})();
</script>`;

const bundlePage = `<!doctype html><meta charset="utf-8"><title>truba</title><script type="module">
import { connect } from "/truba/truba.browser.js";
globalThis.outcome = (async () => {
  const node = new URL(location.href).searchParams.get("node");
  const [db, other] = [await connect(node), await connect(node)];
  const doc = db.document("default");
  await doc.patch([{ op: "add", path: "/a", value: 1 }]);
  const refused = await doc.patch([{ op: "remove", path: "/b" }]).catch(({ code, cause }) => [code, cause.path]);
  const seen = [];
  for await (const { kind, value, verdicts } of doc.subscribe()) {
    seen.push([kind, JSON.stringify(value), verdicts.length]);
    if (seen.length === 1) await other.document("default").patch([{ op: "add", path: "/b", value: ["é"] }]);
    else if (seen.length === 2) await doc.put({ c: null }, { until: "final" });
    else break;
  }
  const { value, hash, transactions } = await other.document("default").get();
  await db.close();
  await other.close();
  return { seen, refused, value, hash: hash.length, transactions };
})();
</script>`;

/** Strict TypeScript over one file, with nothing skipped. Returns what the compiler says. */
function typeCheck(folder: string, text: string, settings: Readonly<Record<string, unknown>>) {
  writeFileSync(join(folder, "usage.ts"), text);
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    typeRoots: [ofRepository("@types")],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    ...settings,
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["usage.ts"] }),
  );
  return runNode(folder, ofRepository("typescript", "bin", "tsc"), "-p", ".");
}

/** Every module that a browser loads with this one, by its path; and what it imports beside modules of its own. */
function graphOf(door: string): { files: Set<string>; others: string[] } {
  const files = new Set<string>();
  const others: string[] = [];
  const open = [door];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const { module } = parseSync(file, readFileSync(file, "utf8"));
    const targets = [
      ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
      ...module.staticExports.flatMap(({ entries }) =>
        entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
      ),
      ...module.dynamicImports.map(() => "import()"),
    ];
    for (const target of targets) {
      if (target.startsWith(".")) open.push(join(dirname(file), target));
      else others.push(`${relative(packageRoot, file)}: ${target}`);
    }
  }
  return { files, others };
}

/** What a page comes to that a server of its own gives out, beside a node. */
async function outcomeIn(html: string): Promise<unknown> {
  const dist = join(packageRoot, "dist");
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    const file = normalize(join(dist, path.replace("/truba/", "")));
    if (path === "/") response.setHeader("content-type", "text/html").end(html);
    else if (path.startsWith("/truba/") && file.startsWith(dist) && existsSync(file))
      response.setHeader("content-type", "text/javascript").end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  using directory = new TemporaryDirectory();
  await using node = await ServerProcess.start({
    data: join(directory.path, "data"),
    http: "127.0.0.1:0",
    flags: ["--http-origins", origin],
  });
  const http = /http:\/\/127\.0\.0\.1:\d+/.exec(node.stdout)?.[0] ?? "";
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const opened = await browser.newPage();
    const complaints: string[] = [];
    opened.on("pageerror", ({ message }) => complaints.push(message));
    await opened.goto(`${origin}/?node=${encodeURIComponent(http)}`);
    await opened.waitForFunction("globalThis.outcome !== undefined", { timeout: 15_000 });
    const outcome: unknown = await opened.evaluate("globalThis.outcome");
    assert.deepEqual(complaints, []);
    return outcome;
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

suite("the package", { skip: notBuilt }, () => {
  const place = notBuilt === false ? new TemporaryDirectory() : undefined;
  const folder = join(place?.path ?? "", "project");
  let packed: Packed;
  let failed: string | undefined;
  before(() => {
    packed = pack(place?.path ?? "");
    failed = install(packed.tarball, folder).failed;
  });
  after(() => place?.[Symbol.dispose]());

  test("holds what runs, its types and its documents, and nothing else; it is small", (t) => {
    const wanted =
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[\w-]+\.md|web\/(?:documents\/)?[\w.-]+|dist\/.+\.js|dist\/.+\.d\.ts)$/;
    const paths = packed.files.map(({ path }) => path);
    assert.deepEqual(
      paths.filter((path) => !wanted.test(path) || /tsconfig|\.test\./.test(path)),
      [],
    );
    for (const path of [
      "dist/index.js",
      "dist/index.d.ts",
      "dist/browser.js",
      "dist/truba.browser.js",
      "web/index.html",
    ])
      assert.ok(paths.includes(path), `${path} is missing`);
    const text = `${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${paths.length} files`;
    t.diagnostic(text);
    assert.ok(packed.size < tarballMaxBytes, `${text}; it may have ${tarballMaxBytes}`);
  });

  test("publint has nothing to say", async () => {
    const bytes = readFileSync(packed.tarball);
    const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages } = await publint({ pack: { tarball }, strict: true });
    assert.deepEqual(messages, []);
  });

  test("attw: types resolve as ECMAScript modules do", () => {
    const manifest = fileURLToPath(import.meta.resolve("@arethetypeswrong/cli/package.json"));
    const attw = join(dirname(manifest), "dist", "index.js");
    const { code, output } = runNode(packageRoot, attw, packed.tarball, "--profile", "esm-only");
    assert.equal(code, 0, output);
  });

  /** Skips where there is no registry; any other failure of the installation is the package's. */
  const installed = (title: string, run: () => void | Promise<void>): void =>
    void test(title, async (t) => {
      if (failed !== undefined && noRegistry(failed)) {
        t.skip("npm cannot reach a registry, so the package's own dependencies are missing");
        return;
      }
      assert.equal(failed, undefined, failed);
      await run();
    });

  suite("in an empty project", () => {
    installed("is used from ECMAScript modules, with strict types, by `nodenext`", () => {
      const checked = typeCheck(folder, usage, { module: "nodenext" });
      assert.equal(checked.code, 0, checked.output);
      const ran = runNode(
        folder,
        "--import",
        `file://${ofRepository("tsx/dist/esm/index.mjs")}`,
        "usage.ts",
      );
      assert.equal(ran.output, "NOQUEUE true hello function\n");
    });

    installed("has the same types by `bundler`", () => {
      const settings = { module: "preserve", moduleResolution: "bundler" };
      const checked = typeCheck(folder, usage, settings);
      assert.equal(checked.code, 0, checked.output);
    });

    installed("a wrong use is an error of types", () => {
      const wrong = usage.replace("// @ts-expect-error a number is no task", "");
      const { code, output } = typeCheck(folder, wrong, { module: "nodenext" });
      assert.equal(code, 1);
      assert.match(output, /usage\.ts\(\d+,\d+\): error TS2345: .*'number'/);
    });

    installed("in browsers it is the door for browsers, whose types need no Node", () => {
      const checked = typeCheck(folder, browserUsage, {
        module: "preserve",
        moduleResolution: "bundler",
        customConditions: ["browser"],
        lib: ["es2023", "dom", "dom.iterable", "esnext.disposable"],
        types: [],
      });
      assert.equal(checked.code, 0, checked.output);
    });

    installed("brings the program `truba`", () => {
      const version = (
        JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string }
      ).version;
      const program = join(folder, "node_modules", ".bin", "truba");
      assert.equal(runNode(folder, program, "--version").output, `${version}\n`);
    });

    installed("can be told by its package.json", () => {
      const text = `console.log((await import("truba/package.json", { with: { type: "json" } })).default.name)`;
      const { output } = runNode(folder, "--no-warnings", "--input-type=module", "--eval", text);
      assert.equal(output, "truba\n");
    });
  });

  test("the browser door loads its own modules only: nothing of Node, no package, few bytes", (t) => {
    const { files, others } = graphOf(join(packageRoot, "dist", "browser.js"));
    assert.deepEqual(others, []);
    let bytes = 0;
    for (const file of files) bytes += readFileSync(file).length;
    t.diagnostic(`${files.size} modules, ${bytes} bytes`);
    assert.ok(files.size > 10 && bytes < 250_000, `${files.size} modules, ${bytes} bytes`);
    const node = graphOf(join(packageRoot, "dist", "index.js"));
    assert.ok(node.others.length > 10, "the same search finds what the other door imports");
  });

  test("the bundled file is all of it in one: nothing of Node, nothing to load", (t) => {
    const { files, others } = graphOf(join(packageRoot, "dist", "truba.browser.js"));
    assert.deepEqual([files.size, others], [1, []]);
    const bytes = readFileSync([...files][0] ?? "").length;
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes < 120_000, `${bytes} bytes`);
  });

  test("a page loads it as it is, pushes, consumes and groups", { skip: noChromium }, async () => {
    assert.deepEqual(await outcomeIn(page), {
      seen: ["order 1", "order 2", "order 3"],
      record: "written",
      priority: "9007199254740993",
      refused: "NOQUEUE",
    });
  });

  test(
    "a page with the bundled file patches a document and follows it",
    { skip: noChromium },
    async () => {
      assert.deepEqual(await outcomeIn(bundlePage), {
        seen: [
          ["snapshot", '{"a":1}', 0],
          ["change", '{"a":1,"b":["é"]}', 1],
          ["change", '{"c":null}', 1],
        ],
        refused: ["PATCHFAILED", "/b"],
        value: { c: null },
        hash: 64,
        transactions: 3,
      });
    },
  );
});
