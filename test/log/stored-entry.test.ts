/** The bytes of an entry in the WAL, and of a token. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { decodeToken, encodeToken } from "../../src/log/log-token.ts";
import { fromStoredBody, storedBody } from "../../src/log/stored-entry.ts";
import { entryKinds } from "../../src/raft/vocabulary.ts";
import { batch, textsOf } from "../contract/shared-log.ts";
import { LogDisk } from "./log-disk.ts";

const marker = "fe54525542414501";

suite("the stored form of an entry", () => {
  test("a batch is stored as it is, without a copy", () => {
    for (const data of [
      Buffer.alloc(0),
      batch(1),
      Buffer.of(0xfe),
      Buffer.from(marker.slice(2), "hex"),
    ])
      assert.equal(storedBody({ kind: entryKinds.normal, data }), data);
  });

  test("a configuration is wrapped", () => {
    const body = storedBody({ kind: entryKinds.configuration, data: Buffer.from("0203", "hex") });
    assert.equal(body.toString("hex"), `${marker}010203`);
    assert.deepEqual(fromStoredBody(body), {
      kind: entryKinds.configuration,
      data: Buffer.from("0203", "hex"),
    });
  });

  test("any bytes can be a batch, the marker itself too", () => {
    for (const hex of ["", "fe", marker, `${marker}01`, `${marker}00${marker}01`]) {
      const data = Buffer.from(hex, "hex");
      const read = fromStoredBody(storedBody({ kind: entryKinds.normal, data }));
      assert.deepEqual(read, { kind: entryKinds.normal, data }, hex);
    }
  });

  test("a batch that looks like a configuration is a batch after a restart", async () => {
    const disk = new LogDisk();
    await disk.open();
    const text = Buffer.from(`${marker}01`, "hex");
    void disk.log(1).append(Buffer.from(text));
    void disk.log(1).append(batch(1));
    await disk.settle();
    await disk.close();
    await disk.openOnly();
    assert.deepEqual(textsOf(await disk.read(1)), [text.toString(), "batch 1"]);
    await disk.close();
  });

  test("a kind of a later version is refused", () => {
    for (const hex of [`${marker}02`, marker])
      assert.throws(() => fromStoredBody(Buffer.from(hex, "hex")), { code: "DATAVERSION" }, hex);
  });
});

suite("the token of a log", () => {
  const token = {
    replica: 7,
    term: 2 ** 40,
    configuration: {
      voters: [1, 2, 3],
      outgoing: [1, 4],
      learners: [9],
      learnersNext: [4],
      witnesses: [3],
      autoLeave: true,
    },
    configurationIndex: 12,
  };

  test("says all that it was given", () => {
    assert.deepEqual(decodeToken(encodeToken(token)), token);
  });

  test("stands in these bytes", () => {
    const configuration = { ...token.configuration, outgoing: [], learners: [], learnersNext: [] };
    const bytes = encodeToken({ ...token, configuration });
    assert.equal(
      bytes.toString("hex"),
      "01010000" +
        "03000000000000000100" +
        "0000" +
        "0700000000000000" +
        "0000000000010000" +
        "0c00000000000000" +
        "010000000000000002000000000000000300000000000000" +
        "0300000000000000",
    );
  });

  test("one that is cut, too long or of another format is refused", () => {
    const bytes = encodeToken(token);
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => decodeToken(bytes.subarray(0, length)), { code: "DATADAMAGED" });
    const longer = Buffer.concat([bytes, Buffer.alloc(8)]);
    assert.throws(() => decodeToken(longer), { code: "DATADAMAGED" });
    bytes[0] = 2;
    assert.throws(() => decodeToken(bytes), { code: "DATAVERSION" });
  });
});
