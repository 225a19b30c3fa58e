import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { HttpWorld, base64, keyOf } from "./http-world.ts";

interface Handle {
  readonly session: string;
  readonly epoch: number;
}

const post = (path: string, json?: object) => ({
  method: "POST",
  path: `/v1/${path}`,
  ...(json === undefined ? {} : { json }),
});

const at = ({ session }: Handle, word: string): string =>
  `sessions/${encodeURIComponent(session)}/${word}`;

const set = (key: string) => ({ verb: "record.set", request: { key, value: "" } });

suite("HTTP: /v1/sessions and /v1/batch", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  const open = async (more: object = {}): Promise<Handle> =>
    (await world.good(post("sessions", { kind: "checkout", ...more }), 201)).json as Handle;

  test("a session gathers records, is put off, taken by its handler, and deleted; an earlier owner is FENCED (P4)", async () => {
    const opened = await open({ data: base64("one"), tag: "order-7" });
    assert.match(opened.session, /^\{order-7\}[0-9a-f]{16}$/);
    const { epoch } = opened;
    const appended = await world.good(post(at(opened, "append"), { epoch, data: base64("two") }));
    assert.deepEqual(appended.json, { recordsCount: 2, bytes: 6 });
    await world.good(post(at(opened, "touch"), { epoch }));
    await world.good(post(at(opened, "store"), { epoch, afterMs: 0 }));
    await world.problem(post(at(opened, "append"), { epoch, data: "" }), "FENCED", 409);
    const taken = await world.good(
      post("sessions/take", { kinds: ["checkout"], count: 5, waitMs: 2_000 }),
    );
    const { sessions } = taken.json as {
      sessions: readonly (Handle & { repeats: number; records: string[] })[];
    };
    assert.deepEqual(
      sessions.map(({ session, repeats, records }) => ({ session, repeats, records })),
      [{ session: opened.session, repeats: 1, records: [base64("one"), base64("two")] }],
    );
    const [delivered] = sessions;
    assert.ok(delivered !== undefined && delivered.epoch > epoch);
    await world.good(post(at(opened, "replace"), { epoch: delivered.epoch, data: base64("all") }));
    const got = await world.good({
      method: "GET",
      path: `/v1/sessions/${encodeURIComponent(opened.session)}`,
    });
    assert.deepEqual((got.json as { records: string[] }).records, [base64("all")]);
    await world.good(post(at(opened, "delete"), { epoch: delivered.epoch }));
    await world.problem(post(at(opened, "delete"), { epoch: delivered.epoch }), "NOSESSION", 404);
  });

  test("sessions are listed by state and kind; kinds are told", async () => {
    const opened = await open();
    const list = async (query: string): Promise<readonly string[]> => {
      const { json } = await world.good({ method: "GET", path: `/v1/sessions?${query}` });
      return (json as { sessions: readonly Handle[] }).sessions.map(({ session }) => session);
    };
    assert.ok((await list("state=active&kind=checkout")).includes(opened.session));
    assert.ok(!(await list("state=dead")).includes(opened.session));
    await world.problem({ method: "GET", path: "/v1/sessions?state=lost" }, "BADVALUE", 400);
    const { json } = await world.good({ method: "GET", path: "/v1/sessions/kinds" });
    assert.deepEqual(
      (json as { kinds: readonly { kind: string }[] }).kinds.map(({ kind }) => kind),
      ["checkout"],
    );
  });

  test("each violation has its code", async () => {
    await world.problem(post("sessions", { kind: "nothing" }), "NOKIND", 404);
    await world.problem(post("sessions/take", { kinds: ["nothing"] }), "NOKIND", 404);
    await world.problem(post("sessions/take", { kinds: [] }), "BADVALUE", 400);
    await world.problem({ method: "GET", path: "/v1/sessions/x" }, "BADSESSION", 400);
    await world.problem(
      { method: "GET", path: "/v1/sessions/%7Bt%7D00000000000000ff" },
      "NOSESSION",
      404,
    );
    const opened = await open();
    await world.problem(post(at(opened, "append"), { epoch: opened.epoch }), "BADVALUE", 400);
    await world.problem(post(at(opened, "append"), { epoch: "1", data: "" }), "BADVALUE", 400);
    await world.problem(
      post(at(opened, "append"), { epoch: opened.epoch, data: "a" }),
      "BADVALUE",
      400,
    );
  });

  test("a batch is all: a step of a session, a task and a record in one entry", async () => {
    const tag = "{order-9}";
    await world.good(
      { method: "PUT", path: `/v1/queues/${encodeURIComponent(`${tag}mail`)}` },
      201,
    );
    const opened = await open({ tag: "order-9" });
    const requests = [
      { verb: "session.append", request: { ...opened, data: base64("paid") } },
      { verb: "queue.push", request: { queue: `${tag}mail`, payload: base64("thanks") } },
      { verb: "record.set", request: { key: `${tag}${keyOf(1)}`, value: base64("paid") } },
      { verb: "record.get", request: { key: `${tag}${keyOf(1)}` } },
    ];
    const { json } = await world.good(post("batch", { requests }));
    const { responses } = json as { responses: readonly Record<string, unknown>[] };
    assert.equal(responses.length, 4);
    assert.deepEqual(responses[0], { recordsCount: 1, bytes: 4 });
    assert.equal(responses[2]?.["status"], "created");
    assert.equal(responses[3]?.["value"], base64("paid"));
  });

  test("a batch is none: what was refused is named by index and code, and nothing is done", async () => {
    const tag = "{order-10}";
    const opened = await open({ tag: "order-10" });
    const asked = post("batch", {
      requests: [
        { verb: "record.set", request: { key: `${tag}${keyOf(2)}`, value: base64("x") } },
        { verb: "session.touch", request: { ...opened, epoch: opened.epoch + 1 } },
      ],
    });
    const problem = await world.problem(asked, "EXECABORT", 409);
    assert.deepEqual([problem.index, problem.cause], [1, "FENCED"]);
    await world.problem(
      { method: "GET", path: `/v1/records/${encodeURIComponent(tag)}${keyOf(2)}` },
      "NOTFOUND",
    );
  });

  test("a batch with an Idempotency-Key takes effect once (P3)", async () => {
    const queue = "{order-11}q";
    await world.good({ method: "PUT", path: `/v1/queues/${encodeURIComponent(queue)}` }, 201);
    const requests = [{ verb: "queue.push", request: { queue, payload: "" } }];
    const asked = { ...post("batch", { requests }), headers: { "idempotency-key": "batch-1" } };
    const first = await world.good(asked);
    assert.deepEqual((await world.good(asked)).json, first.json);
    const { json } = await world.good(post("queue.count", { queue }));
    assert.equal((json as { waiting: number }).waiting, 1);
  });

  test("a batch that cannot be one is refused whole", async () => {
    await world.problem(
      post("batch", { requests: [set(`{a}${keyOf(3)}`), set(`{c}${keyOf(3)}`)] }),
      "CROSSSLOT",
      400,
    );
    await world.problem(
      post("batch", { requests: Array.from({ length: 1_025 }, () => set(keyOf(3))) }),
      "BADVALUE",
      400,
    );
    await world.problem(
      post("batch", { requests: [{ verb: "queue.pop", request: { queue: "q" } }] }),
      "BADVALUE",
      400,
    );
    await world.problem(post("batch", {}), "BADVALUE", 400);
    const problem = await world.problem(
      post("batch", {
        requests: [set(keyOf(3)), { verb: "record.set", request: { key: 1, value: "" } }],
      }),
      "BADKEY",
      400,
    );
    assert.match(problem.detail, /request 1 \(record\.set\): key/);
    assert.deepEqual((await world.good(post("batch", { requests: [] }))).json, { responses: [] });
    await world.problem({ method: "GET", path: `/v1/records/${keyOf(3)}` }, "NOTFOUND");
  });
});
