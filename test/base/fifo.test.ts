import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { Fifo } from "../../src/base/fifo.ts";

suite("a queue", () => {
  test("is what an array is, whatever is done to it", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant("push" as const) },
      { weight: 4, arbitrary: fc.constant("shift" as const) },
      { weight: 1, arbitrary: fc.constant("pop" as const) },
      { weight: 1, arbitrary: fc.constant("many" as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new Fifo<number>();
        const model: number[] = [];
        let next = 0;
        const push = (): void => {
          queue.push(next);
          model.push(next++);
        };
        for (const each of steps) {
          if (each === "push") push();
          else if (each === "many") for (let i = 0; i < 20; i++) push();
          else if (each === "shift") assert.equal(queue.shift(), model.shift());
          else assert.equal(queue.pop(), model.pop());
          assert.equal(queue.length, model.length);
          assert.equal(queue.first, model[0]);
          for (const [place, item] of model.entries()) assert.equal(queue.at(place), item);
        }
      }),
    );
  });

  test("that was long gives its room back when it is empty, and goes on", () => {
    const queue = new Fifo<number>();
    for (let i = 0; i < 5_000; i++) queue.push(i);
    for (let i = 0; i < 5_000; i++) assert.equal(queue.shift(), i);
    assert.equal(queue.shift(), undefined);
    queue.push(7);
    queue.clear();
    assert.deepEqual([queue.length, queue.first, queue.pop()], [0, undefined, undefined]);
    queue.push(8);
    assert.equal(queue.at(0), 8);
  });
});
