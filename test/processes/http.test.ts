/** The HTTP port of a real process, asked by real programs: curl, promtool, and a client that is cut off (DESIGN §11). */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite, test } from "node:test";
import { eventually } from "./fixtures/eventually.ts";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const noCurl: string | false =
  spawnSync("curl", ["--version"]).status === 0 ? false : "curl is not installed";
const noPromtool: string | false =
  spawnSync("promtool", ["--version"]).status === 0 ? false : "promtool is not installed";

function start(
  directory: TemporaryDirectory,
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  return ServerProcess.start({
    data: join(directory.path, "data"),
    http: "127.0.0.1:0",
    flags: ["--wal-segment-bytes", "16777216", ...flags],
  });
}

function urlOf(server: ServerProcess): string {
  const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(server.stdout)?.[0];
  assert.ok(url !== undefined, server.stdout);
  return url;
}

/** Runs curl to its end; the body, and the status on a line of its own. */
function curl(...args: readonly string[]): { body: string; status: number } {
  const { stdout, stderr, status } = spawnSync(
    "curl",
    ["-sS", "--max-time", "10", "-w", "\n%{http_code}", ...args],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  const at = stdout.lastIndexOf("\n");
  return { body: stdout.slice(0, at), status: Number(stdout.slice(at + 1)) };
}

async function json(url: string, request: RequestInit = {}): Promise<Record<string, unknown>> {
  const answer = await fetch(url, request);
  return (await answer.json()) as Record<string, unknown>;
}

const post = (body: object): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

suite("HTTP of a process", { skip: notBuilt }, () => {
  test("curl pushes, pops and acknowledges, as the page tells", { skip: noCurl }, async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    const url = urlOf(server);
    const pushed = curl(
      "-H",
      "Content-Type: text/plain",
      "-d",
      "hello",
      `${url}/v1/queues/default/tasks`,
    );
    assert.equal(pushed.status, 201, pushed.body);
    const popped = curl("-X", "POST", `${url}/v1/queues/default/pop`);
    assert.equal(popped.status, 200, popped.body);
    const { tasks } = JSON.parse(popped.body) as {
      tasks: { task: number; lease: number; payload: string }[];
    };
    assert.equal(tasks[0]?.payload, Buffer.from("hello").toString("base64"));
    const leases = JSON.stringify({ leases: tasks.map(({ task, lease }) => ({ task, lease })) });
    const acked = curl(
      "-H",
      "Content-Type: application/json",
      "-d",
      leases,
      `${url}/v1/queues/default/ack`,
    );
    assert.deepEqual(JSON.parse(acked.body), { settled: 1, lost: [] });
    const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
    assert.equal(
      curl("-T", join(import.meta.dirname, "http.test.ts"), `${url}/v1/records/${key}`).status,
      201,
    );
    assert.match(curl(`${url}/v1/records/${key}`).body, /The HTTP port of a real process/);
  });

  test("what was acknowledged over HTTP is there after kill -9 (P1, P4)", async () => {
    using directory = new TemporaryDirectory();
    let acknowledged = 0;
    {
      await using server = await start(directory);
      const url = urlOf(server);
      const killAtMs = Date.now() + 400;
      setTimeout(() => server.signal("SIGKILL"), 400);
      while (Date.now() < killAtMs) {
        const batch = Array.from({ length: 16 }, (_, i) =>
          fetch(`${url}/v1/queues/default/tasks`, { method: "POST", body: `task ${i}` }).then(
            ({ status }) => status === 201,
            () => false,
          ),
        );
        for (const done of await Promise.all(batch)) if (done) acknowledged++;
      }
      await server.ended;
    }
    assert.ok(acknowledged > 0);
    await using server = await start(directory);
    const { waiting } = await json(`${urlOf(server)}/v1/queue.count`, post({ queue: "default" }));
    const kept = Number(waiting);
    // Some may have been written whose answer was lost.
    assert.ok(
      kept >= acknowledged && kept <= acknowledged + 16,
      `${acknowledged} acknowledged, ${kept} kept`,
    );
  });

  test("a stop answers who waits, ends streams, and exits with 0", async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    const url = urlOf(server);
    await fetch(`${url}/v1/queues/jobs`, { method: "PUT" });
    const waiting = fetch(`${url}/v1/queues/jobs/pop`, post({ waitMs: 60_000 }));
    const stream = await fetch(`${url}/v1/queues/jobs/tasks?credit=1`, {
      headers: { accept: "text/event-stream" },
    });
    const events = stream.text();
    await eventually(
      async () => /^truba_takers_waiting 2$/m.test(await (await fetch(`${url}/metrics`)).text()),
      () => "nobody waits",
    );
    const started = Date.now();
    const ended = await server.end("SIGTERM");
    assert.equal(ended.code, 0, ended.stderr);
    assert.ok(Date.now() - started < 5_000);
    const answer = await waiting;
    assert.equal(answer.status, 503);
    assert.equal(((await answer.json()) as { code: string }).code, "SHUTTINGDOWN");
    assert.match(await events, /^event: subscription\n[\s\S]*event: ended\ndata: .*SHUTTINGDOWN/);
  });

  test(
    "what a client that is killed held through its stream goes back",
    { skip: noCurl },
    async () => {
      using directory = new TemporaryDirectory();
      await using server = await start(directory);
      const url = urlOf(server);
      for (let i = 0; i < 3; i++)
        await fetch(`${url}/v1/queues/default/tasks`, { method: "POST", body: String(i) });
      const reader = spawn("curl", [
        "-sSN",
        "-H",
        "Accept: text/event-stream",
        `${url}/v1/queues/default/tasks?credit=3`,
      ]);
      let text = "";
      reader.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      const counts = () => json(`${url}/v1/queue.count`, post({ queue: "default" }));
      await eventually(
        async () => (await counts())["leased"] === 3,
        () => `nothing was lent out: ${text}`,
      );
      reader.kill("SIGKILL");
      await eventually(
        async () => (await counts())["waiting"] === 3,
        () => "what the stream held did not come back",
      );
      assert.match(text, /event: tasks\ndata: \[\{"task":/);
    },
  );

  test("promtool finds nothing to say of /metrics", { skip: noPromtool }, async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    const url = urlOf(server);
    await fetch(`${url}/v1/queues/default/tasks`, { method: "POST", body: "x" });
    await fetch(`${url}/v1/queues/none`);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const name of [
      "process_cpu_seconds_total",
      "nodejs_eventloop_lag_seconds",
      "truba_disk_free_bytes",
    ])
      assert.match(metrics, new RegExp(`^${name} [\\d.e+-]+$`, "m"));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: metrics,
      encoding: "utf8",
    });
    assert.equal(`${stdout}${stderr}`, "");
    assert.equal(status, 0);
  });

  test("a token is wanted where the configuration has one", { skip: noCurl }, async () => {
    using directory = new TemporaryDirectory();
    const { createHash } = await import("node:crypto");
    const { writeFileSync } = await import("node:fs");
    const sha256 = createHash("sha256").update("a-secret").digest("hex");
    const config = join(directory.path, "truba.yaml");
    writeFileSync(config, `tokens:\n  - name: reader\n    role: read\n    sha256: ${sha256}\n`);
    await using server = await start(directory, ["--config", config]);
    const url = urlOf(server);
    assert.equal(curl(`${url}/v1/status`).status, 401);
    assert.equal(curl("-H", "Authorization: Bearer a-secret", `${url}/v1/status`).status, 200);
    assert.equal(
      curl("-H", "Authorization: Bearer a-secret", "-X", "PUT", `${url}/v1/queues/q`).status,
      403,
    );
    assert.equal(curl(`${url}/`).status, 200);
    assert.equal(curl(`${url}/health/ready`).status, 200);
  });
});
