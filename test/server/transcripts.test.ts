/** The golden transcripts of test/server/transcripts/, played whole and byte by byte (DESIGN §11). */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { TestServer } from "./test-server.ts";
import { playTranscript } from "./transcript.ts";

const folder = join(import.meta.dirname, "transcripts");
const rewrite = process.env["TRUBA_REWRITE_TRANSCRIPTS"] === "1";
const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));

suite("golden transcripts", () => {
  for (const file of files) {
    const path = join(folder, file);
    const golden = readFileSync(path, "utf8");

    test(`${file}: answers are these bytes, one write for each pipeline`, async () => {
      const server = await TestServer.start();
      const { text, split } = await playTranscript(golden, server, (bytes) => [bytes]);
      await server.stop();
      if (rewrite) writeFileSync(path, text);
      assert.equal(text, rewrite ? text : golden);
      assert.deepEqual(split, [], "answers of these pipelines came in several writes");
    });

    test(`${file}: the same when every byte arrives alone`, { skip: rewrite }, async () => {
      const server = await TestServer.start();
      const { text } = await playTranscript(golden, server, (bytes) => [...bytes]);
      await server.stop();
      assert.equal(text, golden);
    });
  }

  test("there are transcripts", () => {
    assert.ok(files.length >= 5, `only ${files.length} in ${folder}`);
  });
});
