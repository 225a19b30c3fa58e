/** The golden transcripts of test/server/transcripts/, played whole and byte by byte (DESIGN §11). */
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { type KindSettings, kindDefaults } from "../../src/machines/sessions/kinds.ts";
import { TestServer } from "./test-server.ts";
import { type Play, type TranscriptRun, playTranscript } from "./transcript.ts";

/** Of which the transcripts about sessions tell. */
const kinds: readonly KindSettings[] = [
  {
    ...kindDefaults,
    name: "payment",
    number: 1,
    delayMs: 5_000,
    spreadMs: 0,
    maxRepeats: 2,
    maxBytes: 20,
  },
  { ...kindDefaults, name: "mail", number: 2, spreadMs: 0 },
];

const folder = join(import.meta.dirname, "transcripts");
const rewrite = process.env["TRUBA_REWRITE_TRANSCRIPTS"] === "1";
const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));

suite("golden transcripts", () => {
  for (const file of files) {
    const path = join(folder, file);
    const golden = readFileSync(path, "utf8");

    const play = async (how: Play): Promise<TranscriptRun> => {
      const server = await TestServer.start({ kinds });
      const run = await playTranscript(golden, server, how);
      await server.stop();
      return run;
    };

    test(`${file}: the answers are these bytes`, async () => {
      const { text } = await play({ pipelined: false, pieces: (bytes) => [bytes] });
      if (rewrite) writeFileSync(path, text);
      assert.equal(text, rewrite ? text : golden);
    });

    test(`${file}: the same when every byte arrives alone`, { skip: rewrite }, async () => {
      const { text } = await play({ pipelined: false, pieces: (bytes) => bytes });
      assert.equal(text, golden);
    });

    test(`${file}: the same as pipelines`, async () => {
      const whole = await play({ pipelined: true, pieces: (bytes) => [bytes] });
      const story = await play({ pipelined: false, pieces: (bytes) => [bytes] });
      assert.deepEqual(whole.answers, story.answers);
    });
  }

  test("there are transcripts", () => {
    assert.ok(files.length >= 5, `only ${files.length} in ${folder}`);
  });
});
