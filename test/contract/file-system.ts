/** What every `FileSystem` promises, as far as it shows without a power loss. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { systemErrorCode, TrubaError } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/file-system.ts";

export interface FileSystemUnderTest {
  readonly files: FileSystem;
  /** An empty directory. */
  readonly root: string;
  /** Lets time pass until the promise settles. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>;
  readonly dispose: () => void;
}

type Check = (under: FileSystemUnderTest) => void | Promise<void>;

export function fileSystemContract(name: string, make: () => FileSystemUnderTest): void {
  const promise = (title: string, check: Check): void => {
    test(title, async () => {
      const under = make();
      try {
        await check(under);
      } finally {
        under.dispose();
      }
    });
  };
  suite(`the contract of FileSystem: ${name}`, () => {
    names(promise);
    contents(promise);
    misuse(promise);
    locks(promise);
  });
}

function names(promise: (title: string, check: Check) => void): void {
  promise("create makes a file that was not there and refuses one that was", ({ files, root }) => {
    const path = `${root}/a`;
    assert.equal(files.existsSync(path), false);
    files.openSync(path, "create").closeSync();
    assert.equal(files.existsSync(path), true);
    assert.equal(
      codeOf(() => files.openSync(path, "create")),
      "EEXIST",
    );
  });

  promise("what is not there is ENOENT", async ({ files, root, run }) => {
    const path = `${root}/missing`;
    assert.equal(
      codeOf(() => files.openSync(path, "read")),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.openSync(path, "write")),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.openSync(`${path}/b`, "create")),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.listSync(path)),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.renameSync(path, `${root}/b`)),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.unlinkSync(path)),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.syncDirectorySync(path)),
      "ENOENT",
    );
    assert.equal(
      codeOf(() => files.freeBytesSync(path)),
      "ENOENT",
    );
    assert.equal(await rejectionOf(run(files.unlink(path))), "ENOENT");
    assert.equal(await rejectionOf(run(files.lock(path))), "ENOENT");
  });

  promise("a directory is made with its parents, again is nothing", ({ files, root }) => {
    files.makeDirectorySync(`${root}/a/b/c`);
    files.makeDirectorySync(`${root}/a/b`);
    assert.deepEqual(files.listSync(`${root}/a`), ["b"]);
    assert.deepEqual(files.listSync(`${root}/a/b/c`), []);
    put(files, `${root}/file`, "x");
    assert.equal(
      codeOf(() => files.makeDirectorySync(`${root}/file`)),
      "EEXIST",
    );
    assert.equal(
      codeOf(() => files.makeDirectorySync(`${root}/file/a`)),
      "ENOTDIR",
    );
    assert.equal(
      codeOf(() => files.listSync(`${root}/file`)),
      "ENOTDIR",
    );
  });

  promise("names are listed in order", ({ files, root }) => {
    for (const name of ["b", "spare-1", "a", "10", "9"]) put(files, `${root}/${name}`, "");
    assert.deepEqual(files.listSync(root), ["10", "9", "a", "b", "spare-1"]);
  });

  promise("a rename replaces; who has the old file open reads on", ({ files, root }) => {
    put(files, `${root}/new`, "new");
    put(files, `${root}/old`, "old");
    const open = files.openSync(`${root}/old`, "read");
    files.renameSync(`${root}/new`, `${root}/old`);
    assert.deepEqual(files.listSync(root), ["old"]);
    assert.equal(get(files, `${root}/old`), "new");
    const bytes = Buffer.alloc(3);
    assert.equal(open.readSync(bytes, 0), 3);
    assert.equal(bytes.toString(), "old");
    open.closeSync();
  });

  promise("an unlinked file that is open stays whole", async ({ files, root, run }) => {
    put(files, `${root}/a`, "first");
    put(files, `${root}/b`, "second");
    const [a, b] = [files.openSync(`${root}/a`, "write"), files.openSync(`${root}/b`, "read")];
    files.unlinkSync(`${root}/a`);
    await run(files.unlink(`${root}/b`));
    assert.deepEqual(files.listSync(root), []);
    a.writeSync(Buffer.from("F"), 0);
    a.syncDataSync();
    const bytes = Buffer.alloc(6);
    assert.equal(a.readSync(bytes, 0), 5);
    assert.equal(bytes.toString("utf8", 0, 5), "First");
    assert.equal(b.readSync(bytes, 0), 6);
    assert.equal(bytes.toString(), "second");
    a.closeSync();
    b.closeSync();
  });

  promise("a directory can be synced and has free bytes", ({ files, root }) => {
    put(files, `${root}/a`, "x");
    files.syncDirectorySync(root);
    assert.ok(Number.isSafeInteger(files.freeBytesSync(root)));
    assert.ok(files.freeBytesSync(root) > 0);
  });
}

function contents(promise: (title: string, check: Check) => void): void {
  promise("bytes come back from where they were written, both ways of calling", async (under) => {
    const { files, root, run } = under;
    const handle = files.openSync(`${root}/a`, "create");
    handle.writeSync(Buffer.from("hello world"), 0);
    await run(handle.write(Buffer.from("WORLD"), 6));
    handle.syncDataSync();
    await run(handle.syncData());
    assert.equal(handle.sizeSync(), 11);
    const part = Buffer.alloc(5);
    assert.equal(handle.readSync(part, 6), 5);
    assert.equal(part.toString(), "WORLD");
    assert.equal(await run(handle.read(part, 0)), 5);
    assert.equal(part.toString(), "hello");
    handle.closeSync();
    assert.equal(get(files, `${root}/a`), "hello WORLD");
  });

  promise("a read at the end gives what there is, behind it nothing", async (under) => {
    const { files, root, run } = under;
    put(files, `${root}/a`, "abc");
    const handle = files.openSync(`${root}/a`, "read");
    const target = Buffer.alloc(10, "-");
    assert.equal(handle.readSync(target, 1), 2);
    assert.equal(target.toString(), "bc--------");
    assert.equal(await run(handle.read(target, 2)), 1);
    assert.equal(handle.readSync(target, 3), 0);
    assert.equal(await run(handle.read(target, 1_000)), 0);
    handle.closeSync();
  });

  promise("a write behind the end leaves zeros before it", ({ files, root }) => {
    const handle = files.openSync(`${root}/a`, "create");
    handle.writeSync(Buffer.from("x"), 10_000);
    assert.equal(handle.sizeSync(), 10_001);
    const target = Buffer.alloc(10_001, 1);
    assert.equal(handle.readSync(target, 0), 10_001);
    assert.ok(target.subarray(0, 10_000).every((byte) => byte === 0));
    handle.closeSync();
  });

  promise("large writes over page edges come back whole, both ways of calling", async (under) => {
    const { files, root, run } = under;
    const data = Buffer.alloc(3_000_017);
    for (let i = 0; i < data.length; i++) data[i] = (i * 31 + (i >> 8)) & 0xff;
    const handle = files.openSync(`${root}/a`, "create");
    handle.writeSync(data.subarray(0, 1_000_003), 77);
    await run(handle.write(data.subarray(1_000_003), 77 + 1_000_003));
    const back = Buffer.alloc(data.length);
    assert.equal(handle.readSync(back, 77), data.length);
    assert.ok(back.equals(data));
    back.fill(0);
    assert.equal(await run(handle.read(back, 77)), data.length);
    assert.ok(back.equals(data));
    handle.closeSync();
  });

  promise("zeros written over data are zeros, beside them the data stays", ({ files, root }) => {
    const handle = files.openSync(`${root}/a`, "create");
    handle.writeSync(Buffer.alloc(20_000, 7), 0);
    handle.writeSync(Buffer.alloc(12_000), 5_000);
    const back = Buffer.alloc(20_000);
    handle.readSync(back, 0);
    const wanted = Buffer.alloc(20_000, 7).fill(0, 5_000, 17_000);
    assert.ok(back.equals(wanted));
    handle.closeSync();
  });

  promise("two handles see one file", ({ files, root }) => {
    put(files, `${root}/a`, "abc");
    const [one, other] = [
      files.openSync(`${root}/a`, "write"),
      files.openSync(`${root}/a`, "read"),
    ];
    one.writeSync(Buffer.from("XYZW"), 1);
    assert.equal(other.sizeSync(), 5);
    const target = Buffer.alloc(5);
    other.readSync(target, 0);
    assert.equal(target.toString(), "aXYZW");
    one.closeSync();
    other.closeSync();
  });

  promise("many reads of one handle may run at once", async ({ files, root, run }) => {
    put(files, `${root}/a`, "0123456789");
    const handle = files.openSync(`${root}/a`, "read");
    const targets = Array.from({ length: 10 }, () => Buffer.alloc(1));
    await run(Promise.all(targets.map((target, at) => handle.read(target, at))));
    assert.equal(Buffer.concat(targets).toString(), "0123456789");
    handle.closeSync();
  });
}

function misuse(promise: (title: string, check: Check) => void): void {
  promise("a handle opened to read does not write", async ({ files, root, run }) => {
    put(files, `${root}/a`, "abc");
    const handle = files.openSync(`${root}/a`, "read");
    assert.equal(
      codeOf(() => handle.writeSync(Buffer.from("x"), 0)),
      "EBADF",
    );
    assert.equal(await rejectionOf(run(handle.write(Buffer.from("x"), 0))), "EBADF");
    handle.closeSync();
    assert.equal(get(files, `${root}/a`), "abc");
  });

  promise("a closed handle refuses all but another close", async ({ files, root, run }) => {
    const handle = files.openSync(`${root}/a`, "create");
    handle.closeSync();
    handle.closeSync();
    const refused = /used after it was closed/;
    assert.throws(() => handle.sizeSync(), refused);
    assert.throws(() => handle.readSync(Buffer.alloc(1), 0), refused);
    assert.throws(() => handle.writeSync(Buffer.alloc(1), 0), refused);
    assert.throws(() => handle.syncDataSync(), refused);
    await assert.rejects(run(handle.read(Buffer.alloc(1), 0)), refused);
    await assert.rejects(run(handle.write(Buffer.alloc(1), 0)), refused);
    await assert.rejects(async () => run(handle.syncData()), refused);
  });
}

function locks(promise: (title: string, check: Check) => void): void {
  promise("a directory is locked by one at a time", async ({ files, root, run }) => {
    files.makeDirectorySync(`${root}/data`);
    files.makeDirectorySync(`${root}/other`);
    const lock = await run(files.lock(`${root}/data`));
    const refusal = await run(files.lock(`${root}/data`)).catch((error: unknown) => error);
    assert.ok(refusal instanceof TrubaError);
    assert.equal(refusal.code, "DATALOCKED");
    assert.ok(refusal.message.includes(`${root}/data`), refusal.message);
    const other = await run(files.lock(`${root}/other`));
    lock.release();
    const again = await run(files.lock(`${root}/data`));
    lock.release();
    assert.equal(await rejectionOf(run(files.lock(`${root}/data`))), "DATALOCKED");
    again.release();
    other.release();
  });
}

/** Makes a file with this content. */
export function put(files: FileSystem, path: string, content: string): void {
  const handle = files.openSync(path, "create");
  handle.writeSync(Buffer.from(content), 0);
  handle.closeSync();
}

/** The content of a file. */
export function get(files: FileSystem, path: string): string {
  const handle = files.openSync(path, "read");
  const content = Buffer.alloc(handle.sizeSync());
  handle.readSync(content, 0);
  handle.closeSync();
  return content.toString();
}

/** The code of what the call throws. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return "no error";
  } catch (error) {
    return systemErrorCode(error);
  }
}

async function rejectionOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(() => "no error", systemErrorCode);
}
