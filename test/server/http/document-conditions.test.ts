import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../../src/base/errors.ts";
import type { Accepted, DocumentService } from "../../../src/documents/vocabulary.ts";
import { momentOf } from "../../../src/protocol/moment.ts";
import { Conditions } from "../../../src/server/http/document-conditions.ts";
import { changeIf } from "../../../src/server/http/document-forms.ts";

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof TrubaError, String(error));
    return error.code;
  }
  return "";
};

const here = "aa";
const wanted = (holds: boolean): string => (holds ? "" : "HASHCONFLICT");
const match = (text: string): Conditions => new Conditions({ "if-match": text });
const noneMatch = (text: string): Conditions => new Conditions({ "if-none-match": text });

suite("HTTP: conditions of documents (RFC 9110 §13)", () => {
  // Field, whether it holds for the hash `aa`, whether it holds where there is no document.
  const ifMatch: readonly (readonly [string, boolean, boolean])[] = [
    ["*", true, false],
    [" * ", true, false],
    ['"aa"', true, false],
    ['"bb"', false, false],
    ['"bb", "aa"', true, false],
    [',, "bb" ,\t"aa",', true, false],
    ['"bb","x,y","aa"', true, false],
    ['"x,aa"', false, false],
    ['W/"aa"', false, false],
    ['W/"aa", "aa"', true, false],
    ['""', false, false],
  ];
  for (const [field, holds, without] of ifMatch)
    test(`§13.1.1 If-Match: ${JSON.stringify(field)} compares strongly, element by element`, () => {
      assert.equal(
        codeOf(() => match(field).checkWrite(here)),
        wanted(holds),
      );
      assert.equal(
        codeOf(() => match(field).isKnown(here)),
        wanted(holds),
      );
      assert.equal(
        codeOf(() => match(field).checkWrite(undefined)),
        wanted(without),
      );
    });

  const ifNoneMatch: readonly (readonly [string, boolean, boolean])[] = [
    ["*", false, true],
    ['"aa"', false, true],
    ['W/"aa"', false, true],
    ['"bb", W/"aa"', false, true],
    ['"bb"', true, true],
    ['"b,b" , "cc"', true, true],
  ];
  for (const [field, holds, without] of ifNoneMatch)
    test(`§13.1.2 If-None-Match: ${JSON.stringify(field)} compares weakly`, () => {
      assert.equal(
        codeOf(() => noneMatch(field).checkWrite(here)),
        wanted(holds),
      );
      assert.equal(noneMatch(field).isKnown(here), !holds);
      assert.equal(
        codeOf(() => noneMatch(field).checkWrite(undefined)),
        wanted(without),
      );
    });

  test("§13.2.2 If-Match comes before If-None-Match", () => {
    const both = new Conditions({ "if-match": '"bb"', "if-none-match": '"aa"' });
    assert.equal(
      codeOf(() => both.isKnown(here)),
      "HASHCONFLICT",
    );
    const fitting = new Conditions({ "if-match": '"aa"', "if-none-match": '"aa"' });
    assert.equal(fitting.isKnown(here), true);
  });

  for (const field of [
    "",
    " ",
    ",",
    "aa",
    '"aa',
    'aa"',
    '"aa" "bb"',
    'w/"aa"',
    'W/ "aa"',
    '*, "aa"',
    '"a\nb"',
  ])
    test(`${JSON.stringify(field)} is no condition, and is not passed over`, () => {
      assert.equal(
        codeOf(() => match(field)),
        "BADVALUE",
      );
      assert.equal(
        codeOf(() => noneMatch(field)),
        "BADVALUE",
      );
    });

  test("a field of 16 KiB is read in no time", () => {
    const started = performance.now();
    match('"a",'.repeat(4_096));
    codeOf(() => match(" \t".repeat(8_192)));
    codeOf(() => match(`${'"'.repeat(16_384)}\n`));
    assert.ok(performance.now() - started < 200);
  });

  test("a document that changes between comparison and change is compared again", async () => {
    const hashes = ["aa", "bb", "cc"];
    const tried: (string | undefined)[] = [];
    const documents = {
      read: () => Promise.resolve({ hash: hashes[tried.length] }),
    } as unknown as DocumentService;
    const change = ({ ifHash }: { ifHash?: string }): Promise<Accepted> => {
      tried.push(ifHash);
      if (tried.length < 3)
        return Promise.reject(new TrubaError("HASHCONFLICT", "somebody else was faster"));
      return Promise.resolve({} as Accepted);
    };
    await changeIf(documents, "x", match('"aa", "bb", "cc"'), change);
    assert.deepEqual(tried, ["aa", "bb", "cc"]);
    tried.length = 0;
    await assert.rejects(changeIf(documents, "x", match('"aa", "bb"'), change), {
      code: "HASHCONFLICT",
    });
    assert.deepEqual(tried, ["aa", "bb"], "what does not fit is not tried");
  });
});

suite("HTTP: ?at= of documents", () => {
  const good: readonly (readonly [string, object])[] = [
    ["0", { position: 0 }],
    ["12", { position: 12 }],
    ["2026-01-31", { timeMs: Date.UTC(2026, 0, 31) }],
    ["2026-01-31T12:00Z", { timeMs: Date.UTC(2026, 0, 31, 12) }],
    ["2026-01-31T12:00:01.5Z", { timeMs: Date.UTC(2026, 0, 31, 12, 0, 1, 500) }],
    ["2026-01-31T12:00:00+01:00", { timeMs: Date.UTC(2026, 0, 31, 11) }],
    ["2026-01-31T12:00:00 01:00", { timeMs: Date.UTC(2026, 0, 31, 11) }],
    ["2026-01-31t12:00:00-00:30", { timeMs: Date.UTC(2026, 0, 31, 12, 30) }],
  ];
  for (const [at, moment] of good)
    test(`${at} is a moment`, () => {
      assert.deepEqual(momentOf(at), moment);
    });
  const bad = [
    "",
    "-1",
    "1.5",
    "1e3",
    "now",
    "2026-13-01",
    "2026-01-31T25:00:00Z",
    "2026-01-31T12:00:00",
    "9".repeat(16),
  ];
  for (const at of bad)
    test(`${JSON.stringify(at)} is none`, () => {
      assert.equal(
        codeOf(() => momentOf(at)),
        "BADVALUE",
      );
    });
});
