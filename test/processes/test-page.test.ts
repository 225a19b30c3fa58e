/** `/test`, the page of the course exercise, in a real Chromium: against our nodes, and against a server that has the exercise's four addresses and nothing else. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { WebSocketServer } from "ws";
import { closePage, launch, noChromium, openPage, overflowOf, shoot } from "./fixtures/chromium.ts";
import { DocumentNodes, textOf } from "./fixtures/exchanging-nodes.ts";
import { eventually } from "./fixtures/eventually.ts";
import { notBuilt } from "./fixtures/program.ts";

const transcript = [
  `[{"op":"add","path":"/0","value":[]}]`,
  `[{"op":"add","path":"/0/-","value":"Hello"}]`,
  `[{"op":"add","path":"/0/-","value":"World"}]`,
];
const helloWorld = `{"0":["Hello","World"]}`;

async function submit(page: Page, text: string): Promise<void> {
  await page.locator("form[name=replace] textarea[name=text]").fill(text);
  await page.getByRole("button", { name: "Submit" }).click();
}

suite("the page /test", { skip: notBuilt || noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test("the exercise's transcript typed on two nodes is the same document on both, and on one that comes late", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    const b = await nodes.start({ name: "b", peers: [a] });
    const onA = await openPage(browser, `http://${a}/test`);
    const onB = await openPage(browser, `http://${b}/test`);
    assert.deepEqual(await onA.getByRole("heading").allInnerTexts(), [
      "/replace",
      "/get",
      "/vclock",
      "/ws",
    ]);
    const [list = "", hello = "", world = ""] = transcript;
    await submit(onA, list);
    await onB.locator("#get", { hasText: `{"0":[]}` }).waitFor();
    await submit(onB, hello);
    await onA.locator("#get", { hasText: `{"0":["Hello"]}` }).waitFor();
    await submit(onA, world);
    for (const page of [onA, onB]) {
      await page.locator("#get", { hasText: helloWorld }).waitFor();
      assert.equal(await page.locator("#get").innerText(), helloWorld);
      const messages = await page.locator("#output > div").allInnerTexts();
      const told = messages.map(
        (each) => JSON.parse(each) as { Source: string; Id: number; Payload: string },
      );
      for (const each of told) assert.deepEqual(Object.keys(each), ["Source", "Id", "Payload"]);
      // Nodes that meet say so in a transaction that changes nothing.
      const patches = told.filter(({ Payload }) => !Payload.includes("/_truba"));
      assert.deepEqual(
        patches.map(({ Source }) => Source),
        ["a", "b", "a"],
      );
      const vclock = JSON.parse(await page.locator("#vclock").innerText()) as object;
      const last = new Map(told.map(({ Source, Id }) => [Source, Id]));
      assert.deepEqual({ ...vclock }, Object.fromEntries(last));
    }
    assert.equal(await textOf(a), helloWorld);
    assert.equal(await textOf(b), helloWorld);
    await shoot(onA, "test-page");
    const c = await nodes.start({ name: "c", peers: [b] });
    await eventually(
      async () => (await textOf(c)) === helloWorld,
      () => "c has it",
    );

    await submit(onA, `[{"op":"test","path":"/0/0","value":"Bye"}]`);
    await onA.locator("#answer.bad", { hasText: /^409: .*\/0\/0/ }).waitFor();
    await submit(onA, "[");
    await onA.locator("#answer.bad", { hasText: /^400: / }).waitFor();
    await shoot(onA, "test-page-refused");
    assert.equal(await textOf(a), helloWorld);
    await closePage(onA);
    await closePage(onB);
  });

  test("below /d/NAME it speaks of that document, and connects again when the node is back", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    const page = await openPage(browser, `http://${a}/d/notes/test`, {
      viewport: { width: 360, height: 740 },
    });
    await submit(page, `[{"op":"add","path":"/<img src=x onerror=alert(1)>","value":"<b>"}]`);
    await page.locator("#get", { hasText: "onerror" }).waitFor();
    await page.locator("#output > div").first().waitFor();
    assert.equal(await page.locator("img, #get b, #output b").count(), 0);
    assert.equal(await textOf(a), "{}");
    assert.equal(await overflowOf(page), 0);
    await shoot(page, "test-page-narrow");
    await nodes.end("a", "SIGKILL");
    await page.getByText("not connected").waitFor();
    await submit(page, "[]");
    await page.locator("#answer.bad", { hasText: "does not answer" }).waitFor();
    await nodes.start({ name: "a", http: a });
    await page.getByText("connected", { exact: true }).waitFor();
    await page.locator("#output > div").first().waitFor();
    assert.equal(await page.locator("#output > div").count(), 1, "the stream, once");
    await closePage(page);
  });

  test("works unchanged where there is nothing but the exercise's four addresses", async () => {
    const folder = new URL("../../web/", import.meta.url);
    const files: Readonly<Record<string, readonly [string, string]>> = {
      "/test": ["documents/test.html", "text/html"],
      "/page.css": ["page.css", "text/css"],
      "/documents/test.css": ["documents/test.css", "text/css"],
      "/documents/test.js": ["documents/test.js", "text/javascript"],
      "/documents/asking.js": ["documents/asking.js", "text/javascript"],
      "/documents/elements.js": ["documents/elements.js", "text/javascript"],
    };
    const bodies: string[] = [];
    const asked = new Set<string>();
    const server = createServer((request, response) => {
      const path = request.url ?? "";
      asked.add(`${request.method} ${path}`);
      const [name, type = ""] = files[path] ?? [];
      if (name !== undefined)
        response.setHeader("content-type", type).end(readFileSync(new URL(name, folder)));
      else if (path === "/get") response.end("the state");
      else if (path === "/vclock") response.end(JSON.stringify({ plain: bodies.length }));
      else if (path === "/replace") {
        let body = "";
        request.setEncoding("utf8").on("data", (text: string) => (body += text));
        request.on("end", () => {
          bodies.push(body);
          response.statusCode = body === "wrong" ? 400 : 200;
          response.end(body === "wrong" ? "bad patch\n" : "");
          for (const each of sockets.clients) each.send(`{"verbatim": "<i>${bodies.length}</i>"}`);
        });
      } else response.writeHead(404).end();
    });
    const sockets = new WebSocketServer({ server, path: "/ws" });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const page = await openPage(browser, `http://127.0.0.1:${port}/test`);
      await page.getByText("connected", { exact: true }).waitFor();
      await page.locator("#get", { hasText: "the state" }).waitFor();
      await submit(page, " [raw]\n");
      await page.locator("#output", { hasText: `{"verbatim": "<i>1</i>"}` }).waitFor();
      await page.locator("#vclock", { hasText: `{"plain":1}` }).waitFor();
      await page.locator("#answer.good", { hasText: "Done" }).waitFor();
      await submit(page, "wrong");
      await page.locator("#answer.bad", { hasText: "400: bad patch" }).waitFor();
      assert.deepEqual(bodies, [" [raw]\n", "wrong"]);
      assert.deepEqual(
        [...asked]
          .filter((each) => files[each.split(" ")[1] ?? ""] === undefined)
          // The browser's own wish.
          .filter((each) => each !== "GET /favicon.ico")
          .sort(),
        ["GET /get", "GET /vclock", "POST /replace"],
      );
      await closePage(page);
    } finally {
      for (const each of sockets.clients) each.terminate();
      server.closeAllConnections();
      server.close();
    }
  });

  test("where tokens are wanted it asks for one, and the stream takes it too", async () => {
    await using nodes = new DocumentNodes();
    const config = join(nodes.path, "truba.yaml");
    const sha256 = createHash("sha256").update("a-secret/+").digest("hex");
    writeFileSync(config, `tokens:\n  - name: writer\n    role: write\n    sha256: ${sha256}\n`);
    const a = await nodes.start({ name: "a", flags: ["--config", config] });
    const page = await openPage(browser, `http://${a}/test`);
    await page.getByLabel("This node wants a token").fill("a-secret/+");
    await page.keyboard.press("Enter");
    await page.getByText("connected", { exact: true }).waitFor();
    await submit(page, `[{"op":"add","path":"/0","value":"locked"}]`);
    await page.locator("#output > div").first().waitFor();
    await page.locator("#get", { hasText: `{"0":"locked"}` }).waitFor();
    await closePage(page);
  });
});
