/** What becomes of those who wait for an entry, by what is confirmed (thesis 3.6.2). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { PendingEntries } from "../../src/log/pending-entries.ts";
import { codeOf } from "../contract/shared-log.ts";

/** What is known of each after these entries were confirmed, each as `position:term`. */
async function after(
  waiting: readonly (readonly [number, number])[],
  confirmed: readonly (readonly [number, number])[],
): Promise<string[]> {
  const pending = new PendingEntries<number>();
  const known = waiting.map(() => "waits");
  for (const [i, [position, term]] of waiting.entries()) {
    void codeOf(pending.add(position, term)).then((code) => {
      known[i] = code;
    });
  }
  for (const [position, term] of confirmed) pending.confirmed(position, term)?.resolve(position);
  await Promise.resolve();
  await new Promise(setImmediate);
  return known;
}

suite("PendingEntries", () => {
  test("an entry resolves when the one of its place and term is confirmed, in order", async () => {
    const waiting = [
      [4, 2],
      [5, 2],
      [6, 2],
    ] as const;
    assert.deepEqual(await after(waiting, [[3, 2]]), ["waits", "waits", "waits"]);
    assert.deepEqual(
      await after(waiting, [
        [3, 1],
        [4, 2],
        [5, 2],
      ]),
      ["resolved", "resolved", "waits"],
    );
  });

  test("one of a later term in its place, or before it, proves that it was not done", async () => {
    const waiting = [
      [4, 2],
      [5, 2],
    ] as const;
    assert.deepEqual(await after(waiting, [[4, 3]]), ["NOTLEADER", "NOTLEADER"]);
    assert.deepEqual(
      await after(waiting, [
        [4, 2],
        [5, 3],
      ]),
      ["resolved", "NOTLEADER"],
    );
  });

  test("one of an earlier term proves nothing", async () => {
    assert.deepEqual(await after([[9, 5]], [[7, 3]]), ["waits"]);
  });

  test("who leads again waits behind who waited before, at lower positions perhaps", async () => {
    const waiting = [
      [10, 1],
      [11, 1],
      [9, 3],
    ] as const;
    assert.deepEqual(await after(waiting, [[8, 3]]), ["NOTLEADER", "NOTLEADER", "waits"]);
    assert.deepEqual(
      await after(waiting, [
        [8, 3],
        [9, 3],
      ]),
      ["NOTLEADER", "NOTLEADER", "resolved"],
    );
  });

  test("many that are decided while others wait are let go", async () => {
    const waiting = Array.from({ length: 300 }, (_, i) => [i + 1, 1] as const);
    const known = await after(waiting, waiting.slice(0, 250));
    assert.deepEqual(known, [
      ...Array.from({ length: 250 }, () => "resolved"),
      ...Array.from({ length: 50 }, () => "waits"),
    ]);
  });
});
