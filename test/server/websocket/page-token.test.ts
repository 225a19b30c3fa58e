/** Pages connect with a token, which they cannot send as a header: it comes as a subprotocol. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { suite, test } from "node:test";
import { WebSocket } from "ws";
import { hashOf } from "../../../src/server/access.ts";
import { SocketWorld } from "./socket-world.ts";

const secret = "a-secret/+~";
const tokens = [
  { name: "page", role: "read", sha256: hashOf(Buffer.from(secret)).toString("hex") },
] as const;

/** The subprotocol that was agreed on, or why not. */
async function agreed(world: SocketWorld, protocols: readonly string[]): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${world.port}/ws`, [...protocols]);
  try {
    await once(socket, "open");
    return socket.protocol;
  } catch (error) {
    return String(error);
  } finally {
    socket.terminate();
  }
}

const coded = (text: string) => `truba.bearer.${Buffer.from(text).toString("base64url")}`;

suite("a page that connects to /ws where tokens are wanted", () => {
  test("shows its token as a subprotocol, and is answered with the one that is spoken", async () => {
    await using world = await SocketWorld.start({ tokens });
    assert.equal(await agreed(world, ["truba", coded(secret)]), "truba");
  });

  test("is refused without one, with another, and with what is none", async () => {
    await using world = await SocketWorld.start({ tokens });
    assert.match(await agreed(world, []), /401/);
    assert.match(await agreed(world, ["truba"]), /401/);
    assert.match(await agreed(world, ["truba", coded("guess")]), /401/);
    assert.match(await agreed(world, ["truba", "truba.bearer."]), /401/);
  });

  test("may offer others, of which none is spoken; the secret is never answered", async () => {
    await using world = await SocketWorld.start();
    const headers = { "sec-websocket-protocol": `chat, ${coded(secret)}` };
    const client = await world.connect("/ws", headers);
    assert.equal(client.headers["sec-websocket-protocol"], undefined);
    client.socket.terminate();
    assert.equal(await agreed(world, ["truba", "chat"]), "truba");
  });
});
