/** What Tab offers. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Completer } from "../../../src/cli/repl/completer.ts";
import type { RespReply } from "../../../src/protocol/resp-reply.ts";

suite("completion", () => {
  const asked: string[] = [];
  const node = (words: readonly string[]): Promise<RespReply> => {
    asked.push(words.join(" "));
    if (words[0] === "DOC.LIST")
      return Promise.resolve(
        new Map([[Buffer.from("names"), [Buffer.from("default"), Buffer.from("design")]]]),
      );
    const isQueues = words[0] === "QUEUE.LIST";
    const items = (isQueues ? ["emails", "errors"] : ["order"]).map((name): RespReply => {
      return new Map([[Buffer.from(isQueues ? "queue" : "kind"), Buffer.from(name)]]);
    });
    return Promise.resolve(new Map([[Buffer.from(isQueues ? "queues" : "kinds"), items]]));
  };
  const offered = async (line: string, completer = new Completer(node)): Promise<string> => {
    const { words, replaces } = await completer.complete(line);
    return `${replaces}: ${words.map((word) => word.trimEnd()).join(" ")}`;
  };

  for (const [line, expected] of [
    ["", ": SET GET DELETE queue session doc help auth exit quit"],
    ["q", "q: queue quit"],
    ["se", "se: SET session"],
    ["QUEUE.P", "QUEUE.P: QUEUE.PUSH QUEUE.POP QUEUE.PEEK QUEUE.PURGE QUEUE.PAUSE"],
    ["queue pu", "pu: push purge"],
    ["  queue   pu", "pu: push purge"],
    ["help queue pu", "pu: push purge"],
    ["help se", "se: SET session"],
    ["queue push ", ": emails errors"],
    ["QUEUE.PUSH er", "er: errors"],
    ["queue push emails ", ": "],
    ["queue push emails hello ", ": PRIORITY DELAY EXPIRE DEDUP"],
    ["queue push emails hello d", "d: DELAY DEDUP"],
    ["queue push emails hello DELAY 5 d", "d: DEDUP"],
    ["queue push emails hello DELAY ", ": "],
    ["queue create emails TYPE ", ": fifo priority range"],
    ["queue create emails DEADLETTER em", "em: emails"],
    ["queue nack emails 1 2 ", ": DELAY UNCOUNTED"],
    ["queue nack emails 1 2 UNCOUNTED ", ": DELAY"],
    ["session new o", "o: order"],
    ["session list STATE s", "s: stored"],
    ["doc patch des", "des: design"],
    ["DOC.GET default ", ": AT"],
    ["doc history default VERDICT ", ": ok rejected"],
    ["queue nothing ", ": "],
    ["SET ", ": "],
  ] as const) {
    test(`${JSON.stringify(line)} offers ${JSON.stringify(expected)}`, async () => {
      assert.equal(await offered(line), expected);
    });
  }

  test("names are asked for once in a while", async () => {
    const completer = new Completer(node);
    asked.length = 0;
    await offered("queue push ", completer);
    await offered("queue push e", completer);
    assert.deepEqual(asked, ["QUEUE.LIST COUNT 1000"]);
  });

  test("a node that is slow or gone costs half a second at most, and no names", async () => {
    const gone = new Completer(() => Promise.reject(new Error("gone")));
    assert.equal(await offered("queue push ", gone), ": ");
    const silent = new Completer(() => new Promise(() => {}));
    const started = performance.now();
    assert.equal(await offered("queue push ", silent), ": ");
    assert.ok(performance.now() - started < 2_000);
  });
});
