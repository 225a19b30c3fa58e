import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseUuid } from "../../src/base/uuid.ts";
import { entryContent, membersContent, operationText } from "../../src/cli/log-entry.ts";
import { OperationWriter, operationCodes } from "../../src/machines/operation.ts";
import {
  encodeRecordDelete,
  encodeRecordSet,
  plainSet,
} from "../../src/machines/records/records.ts";
import { changeKinds, encodeChange, leaveJoint } from "../../src/raft/membership-change.ts";
import { batchHeaderBytes, writeBatchHeader } from "../../src/partition/batch.ts";

const uuid = "00000000-0000-4000-8000-000000000001";

function keyOf(tag: string) {
  const buffer = Buffer.alloc(16 + tag.length);
  parseUuid(Buffer.from(uuid), 0, buffer, 0);
  buffer.write(tag, 16, "latin1");
  return { buffer, bytes: buffer.length };
}

/** A batch of what `write` writes. */
function batch(count: number, write: (writer: OperationWriter) => void): Buffer {
  const writer = new OperationWriter();
  writer.reserve(batchHeaderBytes);
  write(writer);
  const bytes = writer.take();
  writeBatchHeader(bytes, { writer: 7, sequence: 8, timestamp: 9, seed: 10 }, count);
  return bytes;
}

function writeSet(writer: OperationWriter, tag: string, requestId?: string): void {
  writer.begin(
    operationCodes.recordSet,
    requestId === undefined ? undefined : Buffer.from(requestId),
  );
  encodeRecordSet(writer, keyOf(tag), plainSet, { source: Buffer.from("value"), start: 0, end: 5 });
  writer.end();
}

suite("an entry in a dump", () => {
  test("shows the batch's header, and operations by name, key and request id", () => {
    const body = batch(3, (writer) => {
      writeSet(writer, "users", "r1");
      writer.begin(operationCodes.recordDelete, undefined);
      encodeRecordDelete(writer, keyOf(""), 5);
      writer.end();
      writer.beginGroup(2, Buffer.from("g1"));
      writeSet(writer, "t");
      writeSet(writer, "t");
      writer.endGroup();
    });
    const content = entryContent(body);
    assert.ok(content !== undefined);
    const { operations, ...header } = content;
    assert.deepEqual(header, { writer: 7, sequence: 8, timestamp: 9, seed: 10, count: 3 });
    assert.deepEqual(operations.map(operationText), [
      `recordSet {users}${uuid} (request r1)`,
      `recordDelete ${uuid}`,
      `group (request g1) [recordSet {t}${uuid}, recordSet {t}${uuid}]`,
    ]);
  });

  test("shows the code of an operation that this version does not know", () => {
    const body = batch(1, (writer) => {
      writer.begin(99, undefined);
      writer.u32(1);
      writer.end();
    });
    assert.deepEqual(entryContent(body)?.operations, [{ name: "code 99" }]);
  });

  test("says how the members of a group change", () => {
    const change = {
      transition: "auto",
      changes: [
        { kind: changeKinds.addLearner, replica: 4 },
        { kind: changeKinds.remove, replica: 2 },
      ],
    } as const;
    assert.deepEqual(membersContent(encodeChange(change)), {
      transition: "auto",
      changes: "addLearner 4, remove 2",
    });
    assert.equal(membersContent(encodeChange(leaveJoint)).changes, "leave the joint configuration");
  });

  test("is empty where a term begins", () => {
    assert.equal(entryContent(Buffer.alloc(0)), undefined);
  });

  test("throws, whatever the bytes are, and never shows what is not there", () => {
    const whole = batch(1, (writer) => writeSet(writer, "users", "r1"));
    for (let end = 1; end < whole.length; end++)
      assert.throws(() => entryContent(Buffer.from(whole.subarray(0, end))), Error);
  });
});
