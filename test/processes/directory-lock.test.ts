/** The lock on the data directory, held by a real process that dies by kill -9. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { NodeFileSystem } from "../../src/base/node-file-system.ts";

const modulePath = join(import.meta.dirname, "../../src/base/node-file-system.ts");

const program = `
  import { NodeFileSystem } from ${JSON.stringify(modulePath)};
  const [directory, platform] = process.argv.slice(1);
  await new NodeFileSystem(platform).lock(directory);
  process.stdout.write("locked");
  setInterval(() => {}, 1000);
`;

suite("the lock on a directory", () => {
  for (const platform of ["linux", "darwin"] as const) {
    const title = `of a process that was killed is free at once (as on ${platform})`;
    test(title, { skip: process.platform === "win32" }, async () => {
      const directory = fs.mkdtempSync(join(tmpdir(), "truba-lock-"));
      const args = ["--import", "tsx", "--input-type=module", "-e", program, directory, platform];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      try {
        const [said] = await once(child.stdout, "data");
        assert.equal(String(said), "locked");
        const files = new NodeFileSystem(platform);
        await assert.rejects(files.lock(directory), { code: "DATALOCKED" });
        child.kill("SIGKILL");
        await once(child, "exit");
        const lock = await files.lock(directory);
        await assert.rejects(files.lock(directory), { code: "DATALOCKED" });
        lock.release();
      } finally {
        child.kill("SIGKILL");
        fs.rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
