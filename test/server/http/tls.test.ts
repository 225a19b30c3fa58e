import assert from "node:assert/strict";
import { type RequestOptions, request } from "node:https";
import { after, before, suite, test } from "node:test";
import type { Address } from "../../../src/base/network.ts";
import { Certificates, noOpenssl } from "../../certificates.ts";
import { HttpWorld } from "./http-world.ts";

function get(address: Address, options: RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { ...address, path: "/health/live", agent: false, ...options },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

suite("HTTP over TLS", { skip: noOpenssl }, () => {
  let certificates: Certificates;
  let world: HttpWorld;
  let address: Address;
  before(async () => {
    certificates = new Certificates();
    const { certificate, key } = certificates.server;
    const clientAuthorities = certificates.authority.certificate;
    world = await HttpWorld.start({ tls: { certificate, key, clientAuthorities } });
    address = await world.listen();
  });
  after(async () => {
    await world.stop();
    certificates[Symbol.dispose]();
  });

  test("who shows a certificate of the authority is answered", async () => {
    const { authority, client } = certificates;
    const trusted = { ca: authority.certificate, cert: client.certificate, key: client.key };
    const { status, body } = await get(address, trusted);
    assert.deepEqual([status, body], [200, '{"status":"live"}']);
    const own = {
      ...trusted,
      path: "/v1/queues",
      headers: { origin: `https://127.0.0.1:${address.port}` },
    };
    assert.equal((await get(address, own)).status, 200);
    const plain = { ...own, headers: { origin: `http://127.0.0.1:${address.port}` } };
    assert.equal(
      (await get(address, plain)).status,
      403,
      "a page that came in the clear is another origin",
    );
  });

  test("who shows none, or one of a stranger, is not", async () => {
    const { authority, strangeClient } = certificates;
    await assert.rejects(get(address, { ca: authority.certificate }));
    const strange = {
      ca: authority.certificate,
      cert: strangeClient.certificate,
      key: strangeClient.key,
    };
    await assert.rejects(get(address, strange));
  });

  test("what speaks plain HTTP is not answered", async () => {
    await assert.rejects(fetch(`http://127.0.0.1:${address.port}/health/live`));
  });
});
