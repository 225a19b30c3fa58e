import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { NodeFileSystem } from "../../src/base/node-file-system.ts";
import { fileSystemContract } from "../contract/file-system.ts";

function temporary(): { root: string; dispose: () => void } {
  const root = fs.mkdtempSync(join(tmpdir(), "truba-files-"));
  return { root, dispose: () => fs.rmSync(root, { recursive: true, force: true }) };
}

fileSystemContract("NodeFileSystem", () => ({
  files: new NodeFileSystem(),
  run: (promise) => promise,
  ...temporary(),
}));

// The locks of other systems are socket files, which Linux has too.
fileSystemContract("NodeFileSystem with locks as on macOS", () => ({
  files: new NodeFileSystem("darwin"),
  run: (promise) => promise,
  ...temporary(),
}));

suite("NodeFileSystem", () => {
  test("one directory under two names is one lock", async () => {
    const { root, dispose } = temporary();
    try {
      const files = new NodeFileSystem();
      files.makeDirectorySync(`${root}/data`);
      fs.symlinkSync(`${root}/data`, `${root}/link`);
      const lock = await files.lock(`${root}/data`);
      await assert.rejects(files.lock(`${root}/link`), { code: "DATALOCKED" });
      lock.release();
    } finally {
      dispose();
    }
  });
});
