/** `truba repl` against a real node: queues and sessions, names that Tab asks for, tokens and TLS (DESIGN §8, §11, §12). */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import { Certificates, noOpenssl } from "../certificates.ts";
import { notBuilt, run } from "./fixtures/program.ts";
import { noTerminal } from "./fixtures/pseudo-terminal.ts";
import { Place } from "./fixtures/repl-place.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";

suite("truba repl: queues and sessions", { skip: notBuilt || noTerminal }, () => {
  test("a task is pushed, taken and acknowledged; names come by Tab; a lost lease says so", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = await place.terminalAtPrompt(server.port);
    await terminal.ask("queue create emails TYPE priority", "created  yes");
    terminal.type("queue push em");
    await terminal.showsBehind("queue push em");
    // Tab completes the name, and leaves a blank.
    terminal.type("\t");
    await terminal.showsBehind("queue push emails ");
    terminal.type("'hello world' PRIORITY 3\r");
    await terminal.answers(/^task {7}\d+\nduplicate {2}no$/);
    const popped = await terminal.ask("QUEUE.POP emails LEASE 60", /hello world$/);
    const [task = "", lease = ""] = groupsOf(/\n +(\d+) +(\d+) /.exec(popped));
    const rest = `${task} ${lease}`;
    await terminal.ask("queue count emails", /waiting {2}0\ndelayed {2}0\nleased {3}1\n/);
    await terminal.ask(`queue ack emails ${rest}`, "settled  1\nlost     -");
    await terminal.ask(`queue ack emails ${rest}`, /^Error: .*lease/);
    await terminal.ask("queue pop emails", "No tasks");
    await terminal.ask("queue pop nowhere", /^Error: .*nowhere/);
  });

  test("Ctrl-C gives up a pop that waits, and what was taken goes back", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = await place.terminalAtPrompt(server.port);
    await terminal.ask("queue push default one", /task/);
    await terminal.ask("queue pop default LEASE 600", /one$/);
    terminal.type("queue pop default WAIT 60\r");
    await terminal.showsBehind("queue pop default WAIT 60\n");
    terminal.type("\u0003");
    await terminal.answers("Error: interrupted");
    const again = await terminal.ask("queue pop default WAIT 5", /one$/);
    assert.match(again, / 2 +\d{4}-/, "its second delivery");
  });

  test("a pop that waits gets what another pushes", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = await place.terminalAtPrompt(server.port);
    const other = await place.terminalAtPrompt(server.port);
    await other.ask("queue create default", /created/);
    terminal.type("queue pop default WAIT 60\r");
    await terminal.showsBehind("queue pop default WAIT 60\n");
    await other.ask("queue push default news", /task/);
    await terminal.answers(/news$/);
  });

  test("a session lives through its verbs", async () => {
    await using place = new Place();
    const server = await place.serve({ settings: "sessions:\n  order:\n    number: 1\n" });
    const terminal = await place.terminalAtPrompt(server.port);
    await terminal.ask("session kinds", /^kind .*\norder /);
    const opened = await terminal.ask('session new order DATA "first step"', /^session {2}\{/);
    const [session = "", epoch = ""] = groupsOf(/^session +(\S+)\nepoch +(\d+)$/.exec(opened));
    const handle = `${session} ${epoch}`;
    await terminal.ask(`session append ${handle} second`, /^records count {2}2\nbytes +16$/);
    await terminal.ask(`session get ${session}`, /record 1 +first step\nrecord 2 +second$/);
    await terminal.ask(`session store ${handle} AFTER 0`, /^status {2}stored\ndue at {2}2/);
    await terminal.ask(`session delete ${handle}`, /^Error: /);
    const taken = await terminal.ask("session take order WAIT 5", /record 2 +second$/);
    const [newEpoch = ""] = groupsOf(/epoch +(\d+)/.exec(taken));
    await terminal.ask(`session delete ${session} ${newEpoch}`, "deleted  yes");
    await terminal.ask("session list", "No sessions");
  });
});

suite("truba repl: who may connect", { skip: notBuilt }, () => {
  test("a token by flag, by environment or by auth; without one there is no connection", async () => {
    await using place = new Place();
    const secret = "truba_0123456789abcdef";
    const sha256 = createHash("sha256").update(secret).digest("hex");
    const settings = `tokens:\n  - name: app\n    role: write\n    sha256: ${sha256}\n`;
    const server = await place.serve({ settings });
    const words = ["repl", "-P", String(server.port), "-c", `GET ${key}`];
    for (const [args, environment] of [
      [["--token", secret], {}],
      [[], { TRUBA_TOKEN: secret }],
    ] as const) {
      const { code, stdout, stderr } = await run([...words, ...args], { environment });
      assert.equal(stdout, "Not found\n", stderr);
      assert.equal(code, 0);
    }
    for (const args of [[], ["--token", "wrong"]]) {
      const { code, stdout, stderr } = await run([...words, ...args]);
      assert.equal(stdout, "");
      assert.match(stderr, /^truba: the node at \S+ refuses: /);
      assert.equal(code, 3);
    }
  });

  test(
    "over TLS, with the authority to trust; without it there is no connection",
    { skip: noOpenssl },
    async () => {
      await using place = new Place();
      using certificates = new Certificates();
      const { certificateFile, keyFile } = certificates.server;
      const files = { "tls-cert": certificateFile, "tls-key": keyFile };
      const server = await place.serve({ settings: settingsOf(files) });
      const words = ["repl", "-P", String(server.port), "-c", `GET ${key}`];
      const ca = ["--ca", certificates.authority.certificateFile];
      const trusted = await run([...words, "--tls", ...ca]);
      assert.equal(trusted.stdout, "Not found\n", trusted.stderr);
      const stranger = ["--tls", "--ca", certificates.stranger.certificateFile];
      for (const args of [["--tls"], stranger]) {
        const { code, stderr } = await run([...words, ...args]);
        assert.equal(code, 3);
        assert.match(stderr, /certificate|issuer/i);
      }
    },
  );

  test("with a certificate of one's own, where nodes want one", { skip: noOpenssl }, async () => {
    await using place = new Place();
    using certificates = new Certificates();
    const { certificateFile, keyFile } = certificates.server;
    const authority = certificates.authority.certificateFile;
    const files = { "tls-cert": certificateFile, "tls-key": keyFile, "tls-client-ca": authority };
    const server = await place.serve({ settings: settingsOf(files) });
    const words = ["repl", "-P", String(server.port), "-c", `GET ${key}`, "--ca", authority];
    const { client, strangeClient } = certificates;
    const own = ["--cert", client.certificateFile, "--key", client.keyFile];
    const known = await run([...words, ...own]);
    assert.equal(known.stdout, "Not found\n", known.stderr);
    const strange = ["--cert", strangeClient.certificateFile, "--key", strangeClient.keyFile];
    for (const args of [[], strange]) assert.equal((await run([...words, ...args])).code, 3);
  });
});

/** The groups of a match that must be. */
function groupsOf(match: RegExpExecArray | null): string[] {
  assert.ok(match !== null);
  return match.slice(1);
}

/** The text of truba.yaml for paths by their keys. */
function settingsOf(paths: Readonly<Record<string, string>>): string {
  return Object.entries(paths)
    .map(([name, path]) => `${name}: ${JSON.stringify(path)}\n`)
    .join("");
}
