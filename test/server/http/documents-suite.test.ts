/** The public test suite of RFC 6902 through HTTP: PUT the document, PATCH it, GET it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, suite, test } from "node:test";
import type { Problem } from "../../../src/server/http/problem.ts";
import { HttpWorld } from "./http-world.ts";

interface Case {
  readonly comment?: string;
  readonly doc: unknown;
  readonly patch: unknown;
  readonly expected?: unknown;
  readonly error?: string;
  readonly disabled?: boolean;
}

const { resolve } = createRequire(import.meta.url);
const casesOf = (file: string): readonly Case[] =>
  JSON.parse(readFileSync(resolve(`json-patch-test-suite/${file}`), "utf8")) as Case[];

/** What is not a patch whatever the document is, in the words of the suite; all other errors depend on the document. */
const noPatch = [
  /^missing '(value|from)' parameter$/,
  /^Unrecognized op/,
  /^JSON Pointer should start/,
];

/** Two cases are disabled because not all implementations take them, two because parsers of JSON drop the first of two members of one name. */
const isRun = ({ disabled, error }: Case): boolean => disabled !== true || error === undefined;

suite("HTTP: the test suite of RFC 6902 (D4)", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  let number = 0;
  for (const file of ["tests.json", "spec_tests.json"])
    for (const each of casesOf(file).filter(isRun)) {
      const path = `/v1/documents/case-${++number}`;
      const { doc, patch, expected, error } = each;
      const title = each.comment ?? JSON.stringify(patch).slice(0, 100);
      test(`${file} ${number}: ${title}: ${error ?? "good"}`, async () => {
        const headers = { "content-type": "application/json-patch+json" };
        await world.good({ method: "PUT", path, json: doc }, 201);
        const old = await world.good({ method: "GET", path });
        assert.deepEqual(old.json, doc);
        const asked = { method: "PATCH", path, headers, bytes: JSON.stringify(patch) };
        const answered = await world.ask(asked);
        const now = await world.good({ method: "GET", path });
        if (error === undefined) {
          assert.equal(answered.status, 200, answered.bytes.toString());
          assert.deepEqual(now.json, expected ?? doc);
          assert.equal(answered.headers["etag"], now.headers["etag"]);
          return;
        }
        assert.deepEqual(now, { ...old, headers: now.headers }, "nothing was changed");
        assert.equal(now.headers["etag"], old.headers["etag"]);
        const problem = answered.json as Problem;
        if (noPatch.some((form) => form.test(error))) {
          assert.deepEqual([answered.status, problem.code], [400, "BADPATCH"], problem.detail);
          return;
        }
        assert.deepEqual([answered.status, problem.code], [409, "PATCHFAILED"], problem.detail);
        const operations = patch as readonly { op: string; path: string; from?: string }[];
        const failed = operations[problem.operation ?? -1];
        assert.equal(problem.op, failed?.op);
        assert.ok([failed?.path, failed?.from].includes(problem.path), problem.path);
      });
    }

  test("the whole suite was there", () => {
    assert.ok(number >= 93, `${number} cases`);
  });
});
