/** TLS with real programs (DESIGN §11, §12): on the client port beside plain text and for HTTP, with and without clients' certificates; files that are wrong. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { Redis as Redis6 } from "ioredis6";
import { Certificates, noOpenssl } from "../certificates.ts";
import { keyOf, textOf } from "./fixtures/client.ts";
import { notBuilt, run, TemporaryDirectory, runServe } from "./fixtures/program.ts";
import { configure, makeToken, missing, runTool, startIn } from "./fixtures/secured-node.ts";

/** An address of this machine that is not loopback. */
const outerAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

/** What a PING is answered with, or the code of the error. */
async function ping(port: number, options: ConnectionOptions, host = "127.0.0.1"): Promise<string> {
  const socket = connectTls({ host, port, servername: "localhost", ...options });
  socket.write("*1\r\n$4\r\nPING\r\n");
  return new Promise((resolve) => {
    socket.once("data", (bytes: Buffer) => {
      resolve(bytes.toString("latin1"));
      socket.destroy();
    });
    socket.once("error", (error: Error & { code?: string }) =>
      resolve(error.code ?? error.message),
    );
    socket.once("close", () => resolve("closed"));
  });
}

suite("TLS", { skip: notBuilt === false ? noOpenssl : notBuilt }, () => {
  let certificates: Certificates;
  before(() => {
    if (noOpenssl === false) certificates = new Certificates();
  });
  after(() => certificates?.[Symbol.dispose]());

  const tlsFlags = (): string[] => [
    "--tls-cert",
    certificates.server.certificateFile,
    "--tls-key",
    certificates.server.keyFile,
  ];
  const cli = (port: number, ...args: readonly string[]) =>
    runTool("redis-cli", [
      "-p",
      String(port),
      "--tls",
      "--cacert",
      certificates.authority.certificateFile,
      ...args,
    ]);

  test("on the client port beside plain text: redis-cli --tls, node:tls, ioredis; HTTP on its own port", async () => {
    using directory = new TemporaryDirectory();
    await using server = await startIn(directory, { flags: tlsFlags(), http: "127.0.0.1:0" });
    const { authority, stranger } = certificates;
    if (missing("redis-cli") === false) {
      const key = keyOf(1);
      assert.equal((await cli(server.port, "SET", key, "x")).stdout, "OK\n");
      assert.equal(
        (await runTool("redis-cli", ["-p", String(server.port), "GET", key])).stdout,
        "x\n",
      );
    }
    assert.equal(await ping(server.port, { ca: authority.certificate }), "+PONG\r\n");
    assert.equal(
      await ping(server.port, { ca: stranger.certificate }),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    );
    const client = new Redis6({ port: server.port, tls: { ca: authority.certificate } });
    assert.equal(await client.set(keyOf(2), "x".repeat(1_000_000)), "OK");
    assert.equal((await client.get(keyOf(2)))?.length, 1_000_000);
    client.disconnect();
    const url = /https:\/\/127\.0\.0\.1:(\d+)/.exec(server.stdout);
    assert.ok(url !== null, server.stdout);
    const status = ["status", "--address", `localhost:${server.port}`];
    assert.equal((await run([...status, "--ca", authority.certificateFile])).code, 0);
    assert.equal((await run([...status, "--ca", stranger.certificateFile])).code, 1);
    const curl = ["-sS", "--cacert", authority.certificateFile, `${url[0]}/health/live`];
    if (missing("curl") === false) assert.equal((await runTool("curl", curl)).code, 0);
    const ended = await server.end("SIGTERM");
    assert.equal(ended.code, 0, ended.stderr);
  });

  test("with authorities for clients: only who shows one of their certificates is heard", async () => {
    using directory = new TemporaryDirectory();
    const { authority, client, strangeClient } = certificates;
    const flags = [...tlsFlags(), "--tls-client-ca", authority.certificateFile];
    await using server = await startIn(directory, { flags });
    const ca = authority.certificate;
    assert.equal(
      await ping(server.port, { ca, cert: client.certificate, key: client.key }),
      "+PONG\r\n",
    );
    for (const own of [{}, { cert: strangeClient.certificate, key: strangeClient.key }]) {
      assert.notEqual(await ping(server.port, { ca, ...own }), "+PONG\r\n");
    }
    if (missing("redis-cli") !== false) return;
    const shown = ["--cert", client.certificateFile, "--key", client.keyFile];
    assert.equal((await cli(server.port, ...shown, "PING")).stdout, "PONG\n");
    assert.notEqual((await cli(server.port, "PING")).code, 0);
  });

  test("from other machines plain text is refused in clear words, TLS is taken", async (t) => {
    if (outerAddress === undefined) {
      t.skip("the machine has no address but loopback");
      return;
    }
    using directory = new TemporaryDirectory();
    const token = await makeToken("app", "write");
    configure(directory, [token]);
    await using server = await startIn(directory, { flags: tlsFlags(), listen: "0.0.0.0:0" });
    const ca = certificates.authority.certificate;
    assert.match(await ping(server.port, { ca }, outerAddress), /^-NOAUTH/);
    const plain = await runTool(
      "nc",
      ["-N", outerAddress, String(server.port)],
      "*1\r\n$4\r\nPING\r\n",
    );
    assert.equal(plain.stdout, "-NOTSUPPORTED from other machines this node takes TLS only\r\n");
    using near = await server.connect();
    assert.match(textOf(await near.call("PING")), /^-NOAUTH/);
  });

  test("a node without TLS closes a handshake, and serves on", async () => {
    using directory = new TemporaryDirectory();
    await using server = await startIn(directory);
    assert.match(await ping(server.port, {}), /ECONNRESET|closed/);
    using client = await server.connect();
    assert.equal(textOf(await client.call("PING")), "PONG");
  });

  test("a port that is taken for HTTP is told with what to do about it", async () => {
    using directory = new TemporaryDirectory();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    assert.ok(address !== null && typeof address === "object");
    const data = join(directory.path, "data");
    const http = `127.0.0.1:${address.port}`;
    const ended = await run(["serve", "--data", data, "--listen", "127.0.0.1:0", "--http", http]);
    other.close();
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /EADDRINUSE.*\n.*--http off/);
  });

  test("files that are wrong are problems of the configuration that name them: exit code 2", async () => {
    using directory = new TemporaryDirectory();
    const { server, client } = certificates;
    const junk = certificates.file("junk.pem", "no certificate");
    const half = certificates.file(
      "half.pem",
      readFileSync(server.certificateFile, "latin1").slice(0, 200),
    );
    const wrong: readonly (readonly [flags: readonly string[], said: RegExp])[] = [
      [
        ["--tls-cert", "/none.crt", "--tls-key", server.keyFile],
        /--tls-cert: \/none\.crt does not exist/,
      ],
      [["--tls-cert", junk, "--tls-key", server.keyFile], /junk\.pem holds nothing in PEM/],
      [["--tls-cert", half, "--tls-key", server.keyFile], /half\.pem holds no certificate/],
      [
        ["--tls-cert", server.certificateFile, "--tls-key", client.keyFile],
        /--tls-key: .*client\.key is no key for .*server\.crt/,
      ],
      [["--tls-cert", server.certificateFile], /--tls-cert: tls-cert needs tls-key/],
      [
        [...tlsFlags(), "--tls-client-ca", server.keyFile],
        /--tls-client-ca: .*server\.key holds no certificate/,
      ],
    ];
    for (const [flags, said] of wrong) {
      const data = join(directory.path, "data");
      const ended = await runServe({ data, flags });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, said);
      assert.ok(!ended.stderr.includes("PRIVATE KEY"));
      assert.equal(existsSync(data), false);
    }
  });
});
