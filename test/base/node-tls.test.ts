/** TLS on a port that also takes plain connections (DESIGN §11): what is accepted, what is not, and that encrypted connections keep the contract of connections. */
import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import type { Socket } from "node:net";
import { after, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { must } from "../../src/base/assert.ts";
import type { Address, Connection, Listener, Network } from "../../src/base/network.ts";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { NodeTlsNetwork } from "../../src/base/node-tls-network.ts";
import type { TlsTrust } from "../../src/base/node-tls-network.ts";
import { NodeTls } from "../../src/base/node-tls.ts";
import { Certificates, noOpenssl } from "../certificates.ts";
import type { Issued } from "../certificates.ts";
import { networkContract, RecordingEnd } from "../contract/network.ts";

/** Listens in the clear and encrypts what comes from its first bytes on, as the client port does; connects by TLS. */
class EncryptedNetwork implements Network {
  readonly #plain = new NodeNetwork();
  readonly #encryption: NodeTls;
  readonly #outward: NodeTlsNetwork;
  /** How much of the handshake arrives before TLS takes over. */
  readonly #firstBytes: number;

  constructor(parts: { server: Issued; clients?: Issued; trust: TlsTrust; firstBytes?: number }) {
    this.#encryption = new NodeTls({
      certificate: parts.server.certificate,
      key: parts.server.key,
      clientAuthorities: parts.clients?.certificate,
    });
    this.#outward = new NodeTlsNetwork(parts.trust);
    this.#firstBytes = parts.firstBytes ?? 1;
  }

  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return this.#plain.listen(address, (connection) => {
      let first = Buffer.alloc(0);
      connection.bind({
        data: (chunk) => {
          first = Buffer.concat([first, chunk]);
          if (first.length >= this.#firstBytes) accept(this.#encryption.accept(connection, first));
        },
        drained() {},
        ended: () => connection.destroy(),
        closed() {},
      });
    });
  }

  connect(address: Address): Promise<Connection> {
    return this.#outward.connect(address);
  }
}

/** Answers the end of whatever comes. */
function record(connection: Connection): RecordingEnd {
  return new RecordingEnd(connection);
}

suite("TLS", { skip: noOpenssl }, () => {
  const certificates = noOpenssl === false ? new Certificates() : undefined;
  after(() => certificates?.[Symbol.dispose]());
  if (certificates === undefined) return;
  const { authority, stranger, server, client, strangeClient } = certificates;
  const trust = { authorities: authority.certificate };

  networkContract("NodeTls and NodeTlsNetwork", () => ({
    network: new EncryptedNetwork({ server, trust }),
    run: (promise) => promise,
    pass: (ms) => wait(ms),
  }));

  suite("a port that encrypts", () => {
    let listener: Listener;
    let accepted: RecordingEnd[];

    const listen = async (clients?: Issued): Promise<void> => {
      accepted = [];
      const network = new EncryptedNetwork({
        server,
        trust,
        ...(clients === undefined ? {} : { clients }),
      });
      listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
        accepted.push(new RecordingEnd(connection));
      });
    };
    /** Connects, sends a word, and tells what came of it at both ends. */
    const attempt = async (
      options: ConnectionOptions,
    ): Promise<{ error: string; heard: string }> => {
      const socket = connectTls({ host: "127.0.0.1", port: listener.address.port, ...options });
      let error = "";
      socket.on(
        "error",
        (reason: Error & { code?: string }) => (error = reason.code ?? reason.message),
      );
      socket.once("secureConnect", () => socket.end("hello"));
      await new Promise((resolve) => socket.once("close", resolve));
      await must(accepted[0]).untilTold("closed");
      return { error, heard: must(accepted[0]).text };
    };

    test("accepts a client that trusts its authority", async () => {
      await listen();
      const { error, heard } = await attempt({ ca: authority.certificate });
      assert.deepEqual({ error, heard }, { error: "", heard: "hello" });
      await listener.close();
    });

    test("is refused by a client that trusts another authority, and its owner is told closed", async () => {
      await listen();
      const { error, heard } = await attempt({ ca: stranger.certificate });
      assert.equal(error, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
      assert.equal(heard, "");
      assert.deepEqual(must(accepted[0]).told.slice(-1), ["closed"]);
      await listener.close();
    });

    test("speaks TLS 1.2 and 1.3, nothing older", async () => {
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        await listen();
        const { heard } = await attempt({ ca: authority.certificate, maxVersion: version });
        assert.equal(heard, "hello", version);
        await listener.close();
      }
      await listen();
      // The default level of OpenSSL has given up what is older.
      const old = {
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "ALL:@SECLEVEL=0",
      } as const;
      const { error, heard } = await attempt({ ca: authority.certificate, ...old });
      assert.match(error, /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ECONNRESET/);
      assert.equal(heard, "");
      await listener.close();
    });

    test("with authorities for clients: takes their certificates, and no other, and not none", async () => {
      const shown = [
        { of: client, heard: "hello" },
        { of: strangeClient, heard: "" },
        { of: undefined, heard: "" },
      ];
      for (const { of, heard } of shown) {
        await listen(authority);
        const own = of === undefined ? {} : { cert: of.certificate, key: of.key };
        const result = await attempt({ ca: authority.certificate, ...own });
        assert.equal(result.heard, heard);
        assert.equal(must(accepted[0]).told.includes("ended"), heard !== "");
        await listener.close();
      }
    });

    test("takes a handshake that arrives byte by byte", async () => {
      await listen();
      const slow = await slowRelay(listener.address.port);
      const socket = connectTls({ host: "127.0.0.1", port: slow.port, ca: authority.certificate });
      await new Promise((resolve, reject) => {
        socket.once("secureConnect", resolve);
        socket.once("error", reject);
      });
      socket.write("hello");
      await must(accepted[0]).untilReceived("hello");
      socket.destroy();
      await slow.close();
      await listener.close();
    });

    test("what is no handshake, or only the start of one, ends in closed and nothing else", async () => {
      for (const bytes of [
        Buffer.from([0x16]),
        Buffer.from("\x16 no handshake at all, I am afraid", "latin1"),
      ]) {
        await listen();
        const socket = connectSocket(listener.address.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.end(bytes);
        while (accepted.length === 0) await wait(1);
        await must(accepted[0]).untilTold("closed");
        assert.deepEqual(must(accepted[0]).told, ["closed"]);
        await listener.close();
      }
    });

    test("destroyed in the middle of a handshake: the socket closes", async () => {
      await listen();
      const socket = connectSocket(listener.address.port, "127.0.0.1");
      socket.on("error", () => {});
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write(Buffer.from([0x16]));
      while (accepted.length === 0) await wait(1);
      must(accepted[0]).connection.destroy();
      await closed;
      await must(accepted[0]).untilTold("closed");
      await listener.close();
    });
  });

  suite("a connection made by TLS", () => {
    test("is refused when the certificate is of nobody trusted, or names another host", async () => {
      const listening = new EncryptedNetwork({ server, trust });
      const listener = await listening.listen({ host: "127.0.0.1", port: 0 }, record);
      const nobody = new NodeTlsNetwork({ authorities: stranger.certificate });
      await assert.rejects(nobody.connect(listener.address), {
        code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      });
      const elsewhere = { host: "127.0.0.2", port: listener.address.port };
      const everywhere = await listening.listen(
        { host: "127.0.0.2", port: elsewhere.port },
        record,
      );
      await assert.rejects(new NodeTlsNetwork(trust).connect(elsewhere), {
        code: "ERR_TLS_CERT_ALTNAME_INVALID",
      });
      await listener.close();
      await everywhere.close();
    });
  });
});

/** Passes everything on, towards the server one byte at a time. */
async function slowRelay(port: number): Promise<{ port: number; close(): Promise<void> }> {
  const { createServer } = await import("node:net");
  const sockets: Socket[] = [];
  const relay = createServer((inward) => {
    const outward = connectSocket({ host: "127.0.0.1", port, noDelay: true });
    sockets.push(inward, outward);
    for (const socket of [inward, outward]) socket.on("error", () => {});
    outward.pipe(inward);
    let sending = Promise.resolve();
    inward.on("data", (chunk: Buffer) => {
      sending = sending.then(async () => {
        for (const byte of chunk) {
          outward.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const address = relay.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    port: address.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => relay.close(() => resolve()));
    },
  };
}
