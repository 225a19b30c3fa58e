/** `truba repl` against real nodes: Warehouse's transcript at a real terminal, and nodes that die (DESIGN §11). */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { ScriptedCluster, ScriptedNode } from "../cli/repl/scripted-node.ts";
import { eventually } from "./fixtures/eventually.ts";
import { notBuilt } from "./fixtures/program.ts";
import { noTerminal, PseudoTerminal } from "./fixtures/pseudo-terminal.ts";
import { Place } from "./fixtures/repl-place.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
const value = `'{"name": "Chapayev's Mustache comb"}'`;
suite("truba repl at a terminal", { skip: notBuilt || noTerminal }, () => {
  test("Warehouse's transcript, to the byte, with one node", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = place.terminal(server.port);
    let shown = `Connected to a database of Warehouse 13 at 127.0.0.1:${server.port}\nKnown nodes:\n127.0.0.1:${server.port}\n> `;
    await terminal.shows(shown);
    for (const [line, answer] of [
      [`SET 12345 ${value}`, "Error: Key is not a proper UUID4"],
      [`SET ${key} ${value}`, "Created (1 replicas)"],
      [`GET ${key}`, value],
      [`SET ${key} ${value}`, "Updated (1 replicas)"],
      [`DELETE ${key}`, "Deleted (1 replicas)"],
      [`GET ${key}`, "Not found"],
      [`DELETE ${key}`, "Not found"],
    ] as const) {
      terminal.type(`${line}\r`);
      shown += `${line}\n${answer}\n> `;
      await terminal.shows(shown);
    }
    terminal.type("\u0004");
    assert.equal(await terminal.ended(), 0);
    assert.equal(terminal.screen.text, `${shown}\n`);
  });

  test("Warehouse's transcript with three nodes, of which two die at the prompt", async () => {
    await using place = new Place();
    const cluster = new ScriptedCluster();
    cluster.replicationFactor = 2;
    await using first = await ScriptedNode.start(cluster);
    await using second = await ScriptedNode.start(cluster);
    await using third = await ScriptedNode.start(cluster);
    const terminal = place.terminal(first.address.port);
    const dialogue = [
      `SET 12345 ${value}`,
      `SET ${key} ${value}`,
      `GET ${key}`,
      `DELETE ${key}`,
      `GET ${key}`,
    ];
    // The blanks behind prompts, which the page leaves out, are there.
    const told = transcript(dialogue).replaceAll(/^>$/gm, "> ").split("\n# if");
    const at = (text: string): string =>
      text
        .replaceAll("127.0.0.1:8765", first.text)
        .replaceAll("127.0.0.1:9876", second.text)
        .replaceAll("127.0.0.1:8697", third.text);
    const [opening = "", afterOne = "", afterTwo = ""] = told.map(at);
    await terminal.shows(`${opening.split("\n").slice(0, 5).join("\n")}\n> `);
    for (const line of dialogue) {
      const asked = cluster.requests.length;
      terminal.type(`${line}\r`);
      await eventually(
        () => cluster.requests.length > asked,
        () => `${line} was not sent`,
      );
      await eventually(
        () => terminal.screen.text.endsWith("\n> "),
        () => terminal.screen.text,
      );
    }
    await terminal.shows(opening);
    await first.die();
    const reconnected = behindComment(afterOne);
    await terminal.shows(`${withoutPrompt(opening)}${reconnected}`);
    await third.die();
    await terminal.shows(
      `${withoutPrompt(opening)}${withoutPrompt(reconnected)}${behindComment(afterTwo)}`,
    );
  });

  test("the warning stands below the nodes when the replication factor exceeds them", async () => {
    await using place = new Place();
    const server = await place.serve({ replicationFactor: 2 });
    const terminal = place.terminal(server.port);
    const address = `127.0.0.1:${server.port}`;
    await terminal.shows(
      `Connected to a database of Warehouse 13 at ${address}\nKnown nodes:\n${address}\n` +
        "WARNING: cluster size (1) is smaller than a replication factor (2)!\n> ",
    );
  });

  test("a node that is killed at the prompt and comes back: the line being typed is drawn again", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = place.terminal(server.port, 40);
    const address = `127.0.0.1:${server.port}`;
    const list = `Known nodes:\n${address}\n`;
    const greeting = wrapped(`Connected to a database of Warehouse 13 at ${address}\n`, 40) + list;
    await terminal.shows(`${greeting}> `);
    const typed = `SET ${key} half`;
    terminal.type(typed);
    await terminal.shows(`${greeting}${wrapped(`> ${typed}`, 40)}`);
    await server.end("SIGKILL");
    await place.serve({ port: server.port });
    const again = wrapped(`Reconnected to a database of Warehouse 13 at ${address}\n`, 40) + list;
    await terminal.shows(`${greeting}${again}${wrapped(`> ${typed}`, 40)}`);
    terminal.type(" done\r");
    await terminal.shows(
      `${greeting}${again}${wrapped(`> ${typed} done`, 40)}\nCreated (1 replicas)\n> `,
    );
  });

  test("a write that is on its way when the node is killed is done once, and answered once (P3)", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = place.terminal(server.port);
    const address = `127.0.0.1:${server.port}`;
    await eventually(
      () => terminal.screen.text.endsWith("\n> "),
      () => terminal.screen.text,
    );
    const shown = terminal.screen.text;
    server.signal("SIGSTOP");
    terminal.type(`SET ${key} v\r`);
    await terminal.shows(`${shown}SET ${key} v\n`);
    await server.end("SIGKILL");
    await place.serve({ port: server.port });
    await terminal.shows(
      `${shown}SET ${key} v\nReconnected to a database of Warehouse 13 at ${address}\n` +
        `Known nodes:\n${address}\nCreated (1 replicas)\n> `,
    );
  });

  test("without any node a command fails, in Warehouse's words", async () => {
    await using place = new Place();
    const server = await place.serve();
    const terminal = await place.terminalAtPrompt(server.port);
    let shown = terminal.screen.text;
    await server.end("SIGKILL");
    for (const [line, answer] of [
      [`SET ${key} v`, "Failed to write an entry"],
      [`GET ${key}`, "Failed to read an entry"],
    ] as const) {
      terminal.type(`${line}\r`);
      shown += `${line}\n${answer}\n> `;
      await terminal.shows(shown);
    }
  });

  test("history lives on in a file of the user's own, without tokens", async () => {
    await using place = new Place();
    const server = await place.serve();
    {
      const terminal = await place.terminalAtPrompt(server.port);
      terminal.type(`AUTH secret\rGET ${key}\rexit\r`);
      assert.equal(await terminal.ended(), 0);
    }
    const path = join(place.directory.path, "truba", "repl_history");
    assert.equal(readFileSync(path, "utf8"), `GET ${key}\nexit\n`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const terminal = await place.terminalAtPrompt(server.port);
    const shown = terminal.screen.text;
    terminal.type("\u001b[A\u001b[A");
    await terminal.shows(`${shown}GET ${key}`);
  });

  test("colours are for terminals, and not for those who do not want them", async () => {
    await using place = new Place();
    const server = await place.serve();
    for (const noColor of ["", "1"]) {
      const environment = { NO_COLOR: noColor, XDG_STATE_HOME: place.directory.path };
      const words = ["repl", "-P", String(server.port)];
      await using terminal = new PseudoTerminal(words, { environment });
      await terminal.prompted();
      terminal.type("help\rexit\r");
      await terminal.ended();
      assert.equal(terminal.output.includes("\u001b[1mRecords\u001b[0m"), noColor === "");
    }
  });
});

/** The transcript of docs/repl.md, whose dialogue must be this. */
function transcript(dialogue: readonly string[]): string {
  const page = readFileSync(join(import.meta.dirname, "../../docs/repl.md"), "utf8");
  const found = /```\n\$ npx truba repl -H 127\.0\.0\.1 -P 8765\n([\s\S]*?)\n```/.exec(page);
  const text = must(found?.[1], "docs/repl.md holds the transcript");
  const typed = [...text.matchAll(/^> (.+)$/gm)].map(([, line]) => line);
  assert.deepEqual(typed, dialogue);
  return text;
}

/** Behind the rest of the line that the comment is on. */
function behindComment(text: string): string {
  return text.slice(text.indexOf("\n") + 1);
}

function withoutPrompt(text: string): string {
  return text.replace(/> $/, "");
}

/** As a terminal of so many columns shows it. */
function wrapped(text: string, columns: number): string {
  return text
    .split("\n")
    .map((line) => line.match(new RegExp(`.{1,${columns}}`, "g"))?.join("\n") ?? "")
    .join("\n");
}
