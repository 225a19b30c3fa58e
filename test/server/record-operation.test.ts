import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { OperationWriter, operationCodes } from "../../src/machines/operation.ts";
import type { Call } from "../../src/server/call.ts";
import { RecordOperation } from "../../src/server/record-operation.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";

/** A call of these words. */
function callOf(...words: string[]): Call {
  const buffers = words.map((word) => Buffer.from(word));
  const start = (index: number): number =>
    buffers.slice(0, index).reduce((sum, { length }) => sum + length, 0);
  return {
    buffer: Buffer.concat(buffers),
    count: words.length,
    start,
    end: (index) => start(index + 1),
  };
}

function bodyOf(operation: RecordOperation): string {
  const writer = new OperationWriter();
  writer.begin(operation.code, undefined);
  operation.encode(writer);
  writer.end();
  return writer.take().toString("hex", 6);
}

suite("RecordOperation: CHECK key IFVERSION n", () => {
  test("takes key and version; the word in any case", () => {
    const operation = new RecordOperation();
    for (const word of ["IFVERSION", "ifversion"]) {
      assert.equal(operation.parseCheck(callOf("CHECK", key, word, "7")), undefined);
      assert.equal(operation.code, operationCodes.recordCheck);
      assert.equal(bodyOf(operation), `0010${key.replaceAll("-", "")}0000000000001c40`);
    }
    assert.equal(operation.parseCheck(callOf("CHECK", key, "IFVERSION", "0")), undefined);
    assert.equal(bodyOf(operation), `0010${key.replaceAll("-", "")}0000000000000000`);
  });

  test("the same object then takes a DELETE without a version, and a GET", () => {
    const operation = new RecordOperation();
    operation.parseCheck(callOf("CHECK", key, "IFVERSION", "7"));
    assert.equal(operation.parseDelete(callOf("DELETE", key)), undefined);
    assert.equal(bodyOf(operation), `0010${key.replaceAll("-", "")}`);
    assert.equal(operation.parseKey(callOf("GET", key), 1, operationCodes.recordGet), undefined);
    assert.equal(bodyOf(operation), `0010${key.replaceAll("-", "")}`);
  });

  test("what is not of this form is refused", () => {
    const bad = [
      [["12345", "IFVERSION", "7"], "BADKEY"],
      [[key], "ERR"],
      [[key, "IFVERSION"], "ERR"],
      [[key, "VERSION", "7"], "ERR"],
      [[key, "IFVERSION", "7", "NX"], "ERR"],
      [[key, "IFVERSION", "-1"], "BADVALUE"],
      [[key, "IFVERSION", "x"], "BADVALUE"],
      [[key, "IFVERSION", "9007199254740992"], "BADVALUE"],
    ] as const;
    for (const [words, code] of bad) {
      const failure = new RecordOperation().parseCheck(callOf("CHECK", ...words));
      assert.equal(failure?.code, code, words.join(" "));
    }
  });
});
