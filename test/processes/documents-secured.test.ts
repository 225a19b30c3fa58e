/** Documents between nodes that want tokens and speak TLS (DESIGN §12). */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Certificates, noOpenssl } from "../certificates.ts";
import { eventually } from "./fixtures/eventually.ts";
import { ServerProcess, TemporaryDirectory, notBuilt } from "./fixtures/program.ts";
import { freePort } from "./fixtures/replicating-nodes.ts";
import { type Token, configure, makeToken } from "./fixtures/secured-node.ts";

interface Asked {
  readonly port: number;
  readonly path: string;
  readonly secret: string;
  readonly body?: object;
}

function ask(
  { port, path, secret, body }: Asked,
  ca: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = { authorization: `Bearer ${secret}` };
    const asking = request({ host: "localhost", port, path, method, headers, ca }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asking.on("error", reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

suite("documents between secured nodes", { skip: notBuilt || noOpenssl }, () => {
  test("over wss with the token of the role peer: linked; with another one: refused in words", async () => {
    using certificates = new Certificates();
    const tokens = [
      await makeToken("app", "write"),
      await makeToken("node", "peer"),
    ] satisfies Token[];
    const [app, node] = tokens;
    assert.ok(app !== undefined && node !== undefined);
    const start = async (name: string, secret: Token, peer?: number) => {
      const directory = new TemporaryDirectory();
      const port = await freePort();
      writeFileSync(join(directory.path, "secret"), `${secret.secret}\n`);
      const peers = peer === undefined ? "" : `  peers:\n    - wss://localhost:${peer}\n`;
      configure(directory, tokens, `documents:\n  peer-token-file: secret\n${peers}`);
      const { certificateFile, keyFile } = certificates.server;
      const server = await ServerProcess.start({
        data: join(directory.path, "data"),
        directory: directory.path,
        http: `127.0.0.1:${port}`,
        environment: { NODE_EXTRA_CA_CERTS: certificates.authority.certificateFile },
        flags: ["--name", name, "--tls-cert", certificateFile, "--tls-key", keyFile],
      });
      return { server, port, [Symbol.dispose]: () => directory[Symbol.dispose]() };
    };
    const ca = certificates.authority.certificate;
    using a = await start("a", node);
    await using _a = a.server;
    using b = await start("b", node, a.port);
    await using _b = b.server;
    using c = await start("c", app, a.port);
    await using _c = c.server;
    const { secret } = app;
    const body = [{ op: "add", path: "/x", value: 1 }];
    const made = await ask({ port: a.port, path: "/replace", secret, body }, ca);
    assert.equal(made.status, 200, made.text);
    await eventually(
      async () => (await ask({ port: b.port, path: "/get", secret }, ca)).text === '{"x":1}',
      () => `it did not come: ${b.server.stderr}`,
    );
    await eventually(
      async () => {
        const { text } = await ask({ port: c.port, path: "/v1/document-links", secret }, ca);
        return /403 NOPERM: .*links between nodes take peer/.test(text);
      },
      () => "the refusal is not told",
    );
    const nothing = await ask({ port: c.port, path: "/get", secret }, ca);
    assert.equal(nothing.text, "{}");
    for (const { server } of [a, b, c])
      assert.ok(!server.stderr.includes(node.secret), "the secret is in the log");
  });
});
