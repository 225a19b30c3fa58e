import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { WebSocket } from "ws";
import type { Address } from "../../../src/base/network.ts";
import type { DocumentEvent } from "../../../src/documents/vocabulary.ts";
import { HttpWorld } from "./http-world.ts";
import { patched } from "./independent-patch.ts";

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 600 && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition(), "not in time");
};

interface Told {
  readonly kind: string;
  readonly code?: string;
}

/** Keeps what it is told, and the document that follows from it. */
class Reader {
  readonly told: Told[] = [];
  document: unknown;
  transactions = -1;
  closeCode: number | undefined;
  readonly socket: WebSocket;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      const event = JSON.parse((data as Buffer).toString()) as DocumentEvent;
      this.told.push(event);
      if (event.kind === "snapshot") this.document = JSON.parse(event.text);
      else if (event.kind === "change") this.document = patched(this.document, event.operations);
      this.transactions = event.transactions;
    });
    socket.on("close", (code) => {
      this.closeCode = code;
    });
  }

  count(kind: string): number {
    return this.told.filter((each) => each.kind === kind).length;
  }
}

/** Rejects with the status of a refusal. */
const open = (
  address: Address,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  protocols: string[] = [],
): Promise<Reader> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${address.host}:${address.port}${path}`, protocols, {
      headers,
    });
    const reader = new Reader(socket);
    socket.once("open", () => resolve(reader));
    socket.once("unexpected-response", (_request, response) => {
      reject(new Error(String(response.statusCode)));
      socket.terminate();
    });
    socket.on("error", reject);
  });

const offer = (token: string): string[] => [
  "truba",
  `truba.bearer.${Buffer.from(token).toString("base64url")}`,
];

const patching = (name: string, operations: unknown) => ({
  method: "PATCH",
  path: `/v1/documents/${name}`,
  headers: { "content-type": "application/json-patch+json" },
  bytes: JSON.stringify(operations),
});

suite("HTTP: documents as they change, by WebSocket (D13)", () => {
  let world: HttpWorld;
  let address: Address;
  before(async () => {
    world = await HttpWorld.start({ origins: ["https://console.example"] });
    address = await world.listen();
  });
  after(() => world.stop());

  test("each message is one event as JSON text: a snapshot, then changes that add up to the document", async () => {
    await world.good(patching("a", [{ op: "add", path: "/n", value: [0] }]));
    const reader = await open(address, "/v1/documents/a/events");
    for (let n = 1; n <= 20; n++)
      await world.good(patching("a", [{ op: "add", path: "/n/0", value: n }]));
    await until(() => reader.transactions === 21);
    assert.deepEqual([reader.told[0]?.kind, reader.count("snapshot")], ["snapshot", 1]);
    const { json } = await world.good({ method: "GET", path: "/v1/documents/a" });
    assert.deepEqual(reader.document, json);
    reader.socket.close();
  });

  test("what a client sends is passed over", async () => {
    const reader = await open(address, "/v1/documents/b/events");
    reader.socket.send("[]");
    reader.socket.send(Buffer.from([1, 2]));
    await world.good(patching("b", [{ op: "add", path: "/x", value: 1 }]));
    await until(() => reader.transactions === 1);
    assert.deepEqual(reader.document, { x: 1 });
    reader.socket.close();
  });

  test("P8 who reads slowly holds nothing back: it gets a snapshot instead of what it missed", async () => {
    const reader = await open(address, "/v1/documents/slow/events");
    await until(() => reader.count("snapshot") === 1);
    reader.socket.pause();
    const value = "x".repeat(200_000);
    for (let n = 1; n <= 90; n++)
      await world.good(patching("slow", [{ op: "add", path: "/v", value: `${n}${value}` }]));
    reader.socket.resume();
    await until(() => reader.transactions === 90);
    assert.ok(reader.count("snapshot") >= 2);
    assert.ok(reader.count("change") < 80);
    const { json } = await world.good({ method: "GET", path: "/v1/documents/slow" });
    assert.deepEqual(reader.document, json);
    reader.socket.close();
  });

  test("pages of other origins get none: WebSockets know no CORS; own pages and configured ones do", async () => {
    const own = `http://${address.host}:${address.port}`;
    for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1"])
      await assert.rejects(open(address, "/v1/documents/a/events", { origin }), { message: "403" });
    for (const origin of [own, "https://console.example"]) {
      const reader = await open(address, "/v1/documents/a/events", { origin });
      reader.socket.close();
    }
    const host = "evil.example";
    await assert.rejects(open(address, "/v1/documents/a/events", { host }), { message: "403" });
  });

  test("what is no stream is refused before the upgrade", async () => {
    for (const [path, status] of [
      ["/v1/documents/a%20b/events", "400"],
      ["/v1/documents/a", "404"],
      ["/v1/nothing", "404"],
    ] as const)
      await assert.rejects(open(address, path), { message: status }, path);
  });

  test("a stream that is left is watched no longer; a node that stops says so and closes", async () => {
    const other = await HttpWorld.start();
    const at = await other.listen();
    const left = await open(at, "/v1/documents/x/events");
    const staying = await open(at, "/v1/documents/x/events");
    left.socket.close();
    await until(() => left.closeCode !== undefined && staying.count("snapshot") === 1);
    await other.stop();
    await until(() => staying.closeCode !== undefined);
    assert.deepEqual(
      [staying.told.at(-1)?.kind, staying.told.at(-1)?.code, staying.closeCode],
      ["ended", "SHUTTINGDOWN", 1001],
    );
  });
});

suite("HTTP: documents by WebSocket where tokens are wanted", () => {
  test("role read is needed, as for GET", async () => {
    const tokens = (["read", "peer"] as const).map((role) => ({
      name: role,
      role,
      sha256: createHash("sha256").update(role).digest("hex"),
    }));
    await using world = await HttpWorld.start({ tokens });
    const address = await world.listen();
    const path = "/v1/documents/a/events";
    await assert.rejects(open(address, path), { message: "401" });
    await assert.rejects(open(address, path, { authorization: "Bearer x" }), { message: "401" });
    await assert.rejects(open(address, path, { authorization: "Bearer peer" }), { message: "403" });
    const reader = await open(address, path, { authorization: "Bearer read" });
    await until(() => reader.count("snapshot") === 1);
    reader.socket.close();
    // As a page does it, which can send no such header.
    const page = await open(address, path, {}, offer("read"));
    await until(() => page.count("snapshot") === 1);
    assert.equal(page.socket.protocol, "truba", "the token is not said again");
    page.socket.close();
    await assert.rejects(open(address, path, {}, offer("x")), { message: "401" });
    await assert.rejects(open(address, path, {}, offer("peer")), { message: "403" });
  });
});
