import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { asBuffer } from "../../src/base/bytes.ts";
import * as fc from "fast-check";
import { AssertionError, must } from "../../src/base/assert.ts";
import { OperationReader, OperationWriter, operationCodes } from "../../src/machines/operation.ts";

interface Simple {
  readonly code: number;
  readonly id: Uint8Array | undefined;
  readonly body: Uint8Array;
}
type Written = Simple | { readonly id: Uint8Array | undefined; readonly group: readonly Simple[] };

const id = fc.option(fc.uint8Array({ minLength: 1, maxLength: 64 }), { nil: undefined });
const body = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  fc.integer({ min: 10_000, max: 300_000 }).map((bytes) => new Uint8Array(bytes).fill(bytes % 251)),
);
/** Objects as the code makes them. */
const plain = { noNullPrototype: true } as const;
const simple: fc.Arbitrary<Simple> = fc.record(
  { code: fc.integer({ min: 16, max: 255 }), id, body },
  plain,
);
const inner: fc.Arbitrary<Simple> = fc.record(
  { code: fc.integer({ min: 16, max: 255 }), id: fc.constant(undefined), body },
  plain,
);
const written: fc.Arbitrary<Written> = fc.oneof(
  { weight: 3, arbitrary: simple },
  fc.record({ id, group: fc.array(inner, { maxLength: 5 }) }, plain),
);

function write(writer: OperationWriter, operation: Written): void {
  if ("group" in operation) {
    writer.beginGroup(operation.group.length, operation.id && asBuffer(operation.id));
    for (const one of operation.group) write(writer, one);
    writer.endGroup();
    return;
  }
  writer.begin(operation.code, operation.id && asBuffer(operation.id));
  writer.bytesOf(asBuffer(operation.body), 0, operation.body.length);
  writer.end();
}

/** Reads the operation at `start` as it was given to `write`; returns where it ends. */
function read(bytes: Buffer, start: number): { operation: Written; end: number } {
  const reader = new OperationReader();
  const end = reader.open(bytes, start);
  const from = reader.requestIdStart;
  const requestId =
    reader.requestIdBytes === 0
      ? undefined
      : Uint8Array.from(bytes.subarray(from, from + reader.requestIdBytes));
  if (reader.code !== operationCodes.group) {
    const held = Uint8Array.from(bytes.subarray(reader.bodyStart, reader.end));
    return { operation: { code: reader.code, id: requestId, body: held }, end };
  }
  const count = reader.u16();
  const group: Simple[] = [];
  let at = reader.at;
  for (let i = 0; i < count; i++) {
    const next = read(bytes, at);
    assert.ok(!("group" in next.operation));
    group.push(next.operation);
    at = next.end;
  }
  assert.equal(at, end);
  return { operation: { id: requestId, group }, end };
}

function readAll(bytes: Buffer, headerBytes: number): Written[] {
  const operations: Written[] = [];
  let at = headerBytes;
  while (at < bytes.length) {
    const next = read(bytes, at);
    operations.push(next.operation);
    at = next.end;
  }
  assert.equal(at, bytes.length);
  return operations;
}

/** A writer in the middle of an operation. */
function open(): OperationWriter {
  const writer = new OperationWriter();
  writer.begin(16, undefined);
  return writer;
}

/** A writer in the middle of a group. */
function openGroup(): OperationWriter {
  const writer = new OperationWriter();
  writer.beginGroup(2, undefined);
  return writer;
}

suite("operations as bytes", () => {
  test("any sequences read as they were written, and none that was taken out is written over later", () => {
    const sequences = fc.array(
      fc.record({
        header: fc.integer({ min: 0, max: 40 }),
        operations: fc.array(written, { maxLength: 8 }),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(sequences, (all) => {
        const writer = new OperationWriter();
        const taken = all.map(({ header, operations }) => {
          writer.reserve(header);
          for (const operation of operations) write(writer, operation);
          const bytes = writer.bytes;
          const sequence = writer.take();
          assert.equal(sequence.length, bytes);
          assert.equal(writer.bytes, 0);
          // The header is the taker's to fill in.
          sequence.fill(0xee, 0, header);
          return sequence;
        });
        for (const [at, { header, operations }] of all.entries()) {
          const sequence = must(taken[at]);
          assert.ok(sequence.subarray(0, header).every((byte) => byte === 0xee));
          assert.deepEqual(readAll(sequence, header), operations);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("numbers of all kinds read as they were written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 65_535 }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.double({ noNaN: true }),
        fc.oneof(fc.nat(20), fc.integer({ min: 16_384 - 30, max: 16_384 })),
        (u8, u16, u32, f64, gap) => {
          const writer = new OperationWriter();
          writer.begin(99, undefined);
          writer.bytesOf(Buffer.alloc(gap + 3), 1, gap + 1);
          writer.u8(u8);
          writer.u16(u16);
          writer.u32(u32);
          writer.f64(f64);
          writer.end();
          const reader = new OperationReader();
          const bytes = writer.take();
          assert.equal(reader.open(bytes, 0), bytes.length);
          assert.equal(reader.skip(gap), reader.bodyStart);
          assert.deepEqual(
            [reader.u8(), reader.u16(), reader.u32(), reader.f64()],
            [u8, u16, u32, f64],
          );
          assert.equal(reader.at, reader.end);
        },
      ),
    );
  });

  test("an arena that is full to the last byte grows at any point of an operation", () => {
    for (let fill = 16_384 - 120; fill <= 16_384; fill++) {
      const writer = new OperationWriter();
      writer.begin(50, undefined);
      writer.bytesOf(Buffer.alloc(fill - 6, 1), 0, fill - 6);
      writer.end();
      const first = writer.take();
      const group: Written = {
        id: Uint8Array.of(1, 2, 3),
        group: [
          { code: 60, id: undefined, body: Uint8Array.of(4, 5) },
          { code: 61, id: undefined, body: new Uint8Array(40).fill(6) },
        ],
      };
      write(writer, group);
      assert.deepEqual(readAll(writer.take(), 0), [group]);
      assert.equal(first.length, fill);
      assert.ok(first.subarray(6).every((byte) => byte === 1));
    }
  });

  test("the layout, byte for byte", () => {
    const writer = new OperationWriter();
    writer.beginGroup(1, Buffer.from("id"));
    writer.begin(operationCodes.recordGet, undefined);
    writer.u8(7);
    writer.end();
    writer.endGroup();
    assert.equal(writer.take().toString("hex"), "0d00000001026964010003000000120007");
  });

  test("operations and groups do not nest, and nothing is taken while one is open", () => {
    assert.throws(() => open().begin(16, undefined), AssertionError);
    assert.throws(() => open().beginGroup(1, undefined), AssertionError);
    assert.throws(() => open().take(), AssertionError);
    assert.throws(() => openGroup().beginGroup(1, undefined), AssertionError);
    assert.throws(() => openGroup().take(), AssertionError);
    assert.throws(() => new OperationWriter().end(), AssertionError);
    assert.throws(() => new OperationWriter().endGroup(), AssertionError);
    const nested = openGroup();
    nested.begin(16, undefined);
    assert.throws(() => nested.endGroup(), AssertionError);
    const late = open();
    late.end();
    assert.throws(() => late.reserve(40), AssertionError);
  });

  test("an operation that says it is longer than its batch is not read", () => {
    const writer = new OperationWriter();
    write(writer, { code: 16, id: undefined, body: Uint8Array.of(1, 2, 3) });
    const bytes = writer.take();
    bytes.writeUInt32LE(bytes.readUInt32LE(0) + 1, 0);
    assert.throws(() => new OperationReader().open(bytes, 0), AssertionError);
  });
});
