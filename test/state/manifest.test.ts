import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { checksum } from "../../src/base/checksum.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { decodeManifest, encodeManifest, sortedJson } from "../../src/state/manifest.ts";
import type { Manifest } from "../../src/state/manifest.ts";

const manifest: Manifest = {
  partition: 7,
  nextRun: 13,
  runs: [
    { id: 11, kind: "base", rows: 3, bytes: 200, checksum: 4_000_000_000 },
    { id: 12, kind: "delta", rows: 1, bytes: 120, checksum: 5 },
  ],
  state: { position: 42, digest: "é\n" },
};

suite("manifest", () => {
  test("is one line of JSON with sorted names and one line of checksum", () => {
    const line =
      '{"format":1,"nextRun":13,"partition":7,"runs":[' +
      '{"bytes":200,"checksum":4000000000,"id":11,"kind":"base","rows":3},' +
      '{"bytes":120,"checksum":5,"id":12,"kind":"delta","rows":1}],' +
      '"state":{"digest":"é\\n","position":42}}';
    const sum = checksum(Buffer.from(line)).toString(16).padStart(8, "0");
    assert.equal(encodeManifest(manifest).toString(), `${line}\n${sum}\n`);
    assert.deepEqual(decodeManifest(encodeManifest(manifest), "manifest", 7), manifest);
  });

  test("any state of JSON comes back as it was, and equal states are equal bytes", () => {
    const state = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(state, (content) => {
        const bytes = encodeManifest({ ...manifest, state: content });
        const read = decodeManifest(bytes, "manifest", 7).state;
        assert.equal(sortedJson(read), sortedJson(content));
        const reversed = Object.fromEntries(Object.entries(content).toReversed());
        assert.deepEqual(encodeManifest({ ...manifest, state: reversed }), bytes);
      }),
    );
  });

  test("P7: arbitrary bytes are refused with a code, never a crash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, sealed) => {
        const line = Buffer.from(bytes);
        const sum = checksum(line).toString(16).padStart(8, "0");
        const all = sealed ? Buffer.concat([line, Buffer.from(`\n${sum}\n`)]) : line;
        assert.throws(
          () => decodeManifest(all, "the file", 7),
          (error) =>
            error instanceof TrubaError &&
            (error.code === "DATADAMAGED" || error.code === "DATAVERSION") &&
            error.message.startsWith("the file: "),
        );
      }),
    );
  });

  test("what is not JSON or too long is a bug of ours", () => {
    assert.throws(() => sortedJson({ position: 1n }), AssertionError);
    assert.throws(() => sortedJson({ position: Number.NaN }), AssertionError);
    assert.throws(() => sortedJson({ position: undefined }), AssertionError);
    const state = { text: "x".repeat(limits.manifestMaxBytes) };
    assert.throws(() => encodeManifest({ ...manifest, state }), AssertionError);
  });
});
