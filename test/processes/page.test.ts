/**
 * The node's page in a real Chromium: what it shows, wide and narrow, light and dark, by mouse and by keyboard. What it looks like is kept in test-artifacts/.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const noChromium: string | false = existsSync(executablePath)
  ? false
  : `${executablePath} is missing: the page was not looked at`;
const artifacts = join(import.meta.dirname, "..", "..", "test-artifacts");

// Run in the page.
const focused = `document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent`;
const inlineScript = `{
  const script = document.createElement("script");
  script.textContent = "globalThis.ran = true";
  document.body.append(script);
}`;

/** By how much the page is wider than its window. */
function overflowOf(page: Page): Promise<unknown> {
  return page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)");
}

const urlOf = (server: ServerProcess): string =>
  /http:\/\/127\.0\.0\.1:\d+/.exec(server.stdout)?.[0] ?? "";

const push = async (url: string, queue: string, count: number): Promise<void> => {
  for (let i = 0; i < count; i++)
    await fetch(`${url}/v1/queues/${queue}/tasks`, { method: "POST", body: "x" });
};

suite("the node's page", { skip: notBuilt || noChromium }, () => {
  let browser: Browser;
  before(async () => {
    mkdirSync(artifacts, { recursive: true });
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
  });
  after(() => browser.close());

  /** Opens the page and fails on anything that it complains of. */
  const open = async (url: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("pageerror", (error) => assert.fail(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !/401|Failed to load resource/.test(message.text()))
        assert.fail(message.text());
    });
    await page.goto(url);
    return page;
  };

  test("shows the node as it is and follows it, wide and narrow, light and dark", async () => {
    using directory = new TemporaryDirectory();
    const config = join(directory.path, "truba.yaml");
    writeFileSync(config, "sessions:\n  checkout:\n    number: 1\n");
    await using server = await ServerProcess.start({
      data: join(directory.path, "data"),
      http: "127.0.0.1:0",
      flags: [
        "--config",
        config,
        "--cluster-name",
        "Warehouse 13",
        "--name",
        "first",
        "--wal-segment-bytes",
        "16777216",
      ],
    });
    const url = urlOf(server);
    await push(url, "default", 3);
    const markup = "<img src=x onerror=alert(1)>".replaceAll(" ", "_");
    await fetch(`${url}/v1/queues/${encodeURIComponent(markup)}`, { method: "PUT" });
    const page = await open(url, { viewport: { width: 1280, height: 900 } });
    await page.getByText("serving", { exact: true }).waitFor();
    assert.equal(
      await page.getByRole("heading", { level: 1 }).innerText(),
      "Warehouse 13 node first",
    );
    assert.equal(await page.title(), "Warehouse 13: first");
    const row = page.locator("#queues tbody tr", { hasText: "default" });
    assert.deepEqual(
      (await row.locator("td").allInnerTexts()).slice(0, 5),
      ["fifo", "3", "0", "0", "0"].map((text, i) => (i === 0 ? "priority, lowest first" : text)),
    );
    assert.equal(await page.locator("#queues tbody th", { hasText: "<img" }).innerText(), markup);
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.locator("#sessions tbody th").innerText(), "checkout");
    assert.equal(await page.locator("#partitions tbody tr").count(), 16);
    assert.match(
      await page.locator("#commands").innerText(),
      new RegExp(`redis-cli -h 127\\.0\\.0\\.1 -p ${server.port} `),
    );
    await push(url, "default", 2);
    await row.locator("td", { hasText: /^5$/ }).waitFor({ timeout: 5_000 });
    await page.screenshot({ path: join(artifacts, "page-wide.png"), fullPage: true });

    for (const [name, options] of [
      ["narrow", { viewport: { width: 360, height: 740 } }],
      ["dark", { viewport: { width: 1100, height: 900 }, colorScheme: "dark" }],
    ] as const) {
      const other = await open(url, options);
      await other.getByText("serving", { exact: true }).waitFor();
      assert.equal(await overflowOf(other), 0, name);
      await other.screenshot({ path: join(artifacts, `page-${name}.png`), fullPage: true });
      await other.goto(`${url}/api`);
      assert.equal(await overflowOf(other), 0, `${name} /api`);
      await other.locator("#post_queues_queue_pop summary").click();
      await other.getByText("leaseEndsAtMs").first().waitFor();
      await other.screenshot({ path: join(artifacts, `api-${name}.png`) });
      await other.context().close();
    }

    await server.end("SIGTERM");
    await page.getByText("not reached").waitFor({ timeout: 5_000 });
    assert.match(await page.getByRole("alert").innerText(), /does not answer/);
    await page.screenshot({ path: join(artifacts, "page-gone.png"), fullPage: true });
    await page.context().close();
  });

  test("asks for a token where the node wants one, and works by the keyboard alone", async () => {
    using directory = new TemporaryDirectory();
    const sha256 = createHash("sha256").update("a-secret").digest("hex");
    const config = join(directory.path, "truba.yaml");
    writeFileSync(config, `tokens:\n  - name: reader\n    role: read\n    sha256: ${sha256}\n`);
    await using server = await ServerProcess.start({
      data: join(directory.path, "data"),
      http: "127.0.0.1:0",
      flags: ["--config", config, "--wal-segment-bytes", "16777216"],
    });
    const page = await open(urlOf(server), { viewport: { width: 800, height: 600 } });
    const field = page.getByLabel("Token");
    await field.waitFor();
    await page.screenshot({ path: join(artifacts, "page-token.png") });
    // The field has the focus already.
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("does not know this token").waitFor();
    await page.keyboard.type("a-secret");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Queues" }).waitFor();
    assert.equal(await field.isVisible(), false);
    const reached = new Set<string>();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      reached.add(String(await page.evaluate(focused)));
    }
    for (const name of ["To the content", "HTTP interface", "Copy: Node.js", "Copy: HTTP address"])
      assert.ok(reached.has(name), name);
    await page.context().close();
  });

  test("loads nothing from elsewhere and runs nothing inline", async () => {
    using directory = new TemporaryDirectory();
    await using server = await ServerProcess.start({
      data: join(directory.path, "data"),
      http: "127.0.0.1:0",
      flags: ["--wal-segment-bytes", "16777216"],
    });
    const url = urlOf(server);
    const context = await browser.newContext();
    const page = await context.newPage();
    const elsewhere: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(url)) elsewhere.push(request.url());
    });
    await page.goto(url);
    await page.getByText("serving", { exact: true }).waitFor();
    await page.evaluate(inlineScript);
    assert.equal(await page.evaluate("'ran' in globalThis"), false);
    assert.deepEqual(elsewhere, []);
    await context.close();
  });
});
