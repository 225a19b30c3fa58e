/** What a browser loads: everything that src/browser.ts imports, and nothing of Node in it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Loaded {
  readonly files: ReadonlySet<string>;
  /** What is imported from outside of src/, with the file that does. */
  readonly outside: ReadonlyMap<string, string>;
}

/** Follows imports that are left once types are gone. */
function load(door: string): Loaded {
  const files = new Set<string>();
  const outside = new Map<string, string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    const { program } = parseSync(path, readFileSync(path, "utf8"));
    const follow = (specifier: string): void => {
      if (specifier.startsWith(".")) visit(join(dirname(path), specifier));
      else outside.set(specifier, relative(root, path));
    };
    new Visitor({
      ImportDeclaration: (node) => {
        const onlyTypes =
          node.importKind === "type" ||
          (node.specifiers.length > 0 &&
            node.specifiers.every(
              (one) => one.type === "ImportSpecifier" && one.importKind === "type",
            ));
        if (!onlyTypes) follow(node.source.value);
      },
      ExportNamedDeclaration: (node) => {
        const onlyTypes =
          node.exportKind === "type" || node.specifiers.every((one) => one.exportKind === "type");
        if (node.source !== null && !onlyTypes) follow(node.source.value);
      },
      ExportAllDeclaration: (node) => follow(node.source.value),
      ImportExpression: () => assert.fail(`${path} imports something when it runs`),
    }).visit(program);
  };
  visit(join(root, door));
  return { files, outside };
}

/** Names of Node that browsers do not have. */
function globalsOfNode(path: string): string[] {
  const found: string[] = [];
  const notReferences = new Set<number>();
  const { program } = parseSync(path, readFileSync(path, "utf8"));
  const names: { name: string; start: number }[] = [];
  new Visitor({
    Identifier: (node) => void names.push(node),
    MemberExpression: (node) => {
      if (!node.computed) notReferences.add(node.property.start);
    },
    Property: (node) => {
      if (!node.computed) notReferences.add(node.key.start);
    },
    TSTypeReference: (node) => {
      if (node.typeName.type === "Identifier") notReferences.add(node.typeName.start);
    },
  }).visit(program);
  for (const { name, start } of names)
    if (
      ["Buffer", "process", "setImmediate", "require", "global"].includes(name) &&
      !notReferences.has(start)
    )
      found.push(name);
  return found;
}

/** What a door exports, types included. */
function namesOf(door: string): string[] {
  const text = readFileSync(join(root, door), "utf8");
  const { module } = parseSync(door, text);
  return module.staticExports.flatMap(({ entries }) =>
    entries.map(({ exportName }) => exportName.name ?? ""),
  );
}

suite("the browser's door", () => {
  const browser = load("src/browser.ts");

  test("imports nothing of Node and no package", () => {
    assert.deepEqual([...browser.outside], []);
  });

  test("leads to the whole client but its TCP channel", () => {
    const paths = [...browser.files].map((path) => relative(root, path));
    assert.ok(
      paths.includes("src/client/truba.ts") && paths.includes("src/client/http-channel.ts"),
    );
    const wrong = paths.filter(
      (path) => !/^src\/(browser\.ts|client\/|base\/|protocol\/|placement\/|patch\/)/.test(path),
    );
    assert.deepEqual(wrong, []);
    assert.ok(!paths.some((path) => /resp/.test(path)), paths.join("\n"));
  });

  test("uses no global of Node", () => {
    const found = [...browser.files].flatMap((path) =>
      globalsOfNode(path).map((name) => `${relative(root, path)}: ${name}`),
    );
    assert.deepEqual(found, []);
  });

  test("has every name of Node's door but `open` and what belongs to it", () => {
    const own = new Set(namesOf("src/browser.ts"));
    const missing = namesOf("src/index.ts").filter((name) => !own.has(name));
    assert.deepEqual(missing.toSorted(), [
      "Clock",
      "ConnectOptions",
      "MemoryOptions",
      "OpenOptions",
      "Timer",
      "TlsTrust",
      "VirtualClock",
      "open",
    ]);
  });

  test("Node's door, for comparison, does import parts of Node", () => {
    assert.ok([...load("src/client/connect.ts").outside.keys()].some(isBuiltin));
  });
});
