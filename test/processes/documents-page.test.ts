/**
 * The documents' page in a real Chromium over one real node: what it shows, by mouse and by keyboard, and what it does when names are hostile, documents large and the node away. What it
 * looks like is kept in test-artifacts/.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "playwright-core";
import { closePage, launch, noChromium, openPage, overflowOf, shoot } from "./fixtures/chromium.ts";
import { DocumentNodes, patch, textOf } from "./fixtures/exchanging-nodes.ts";
import {
  append,
  apply,
  dark,
  follow,
  list,
  narrow,
  outcome,
  row,
} from "./fixtures/documents-page.ts";
import { notBuilt } from "./fixtures/program.ts";

suite("the documents' page", { skip: notBuilt || noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test("over one node: writes, shows, goes back in time and restores, live and without polling the document", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    const front = await openPage(browser, `http://${a}/`);
    await front.getByRole("link", { name: "Documents" }).click();
    await front.getByRole("heading", { name: "State" }).waitFor();
    await closePage(front);

    const page = await follow(browser, a);
    const asked: string[] = [];
    page.on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      asked.push(`${request.method()} ${pathname}${search}`);
    });
    await shoot(page, "documents-empty");
    for (const example of ["Make a list", "Append Hello", "Append World"]) {
      await page.getByRole("button", { name: example }).click();
      await apply(page);
    }
    await row(page, "World").waitFor();
    assert.equal(await textOf(a), `{"0":["Hello","World"]}`);
    assert.match(await page.locator("#agreement").innerText(), /converged/);
    await patch(a, append("from elsewhere"));
    await row(page, "from elsewhere").waitFor();
    await page.locator("#final li", { hasText: "from elsewhere" }).waitFor();
    assert.equal(await page.locator("#final li").count(), 4);

    await page.getByLabel("Time: behind so many").focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.locator("#past-text", { hasText: "behind 2 transactions" }).waitFor();
    await row(page, "World").waitFor({ state: "detached" });
    assert.match(await page.locator("#time-text").innerText(), /^2 of 4, behind a:2/);
    await shoot(page, "documents-past");
    await page.getByRole("button", { name: "Restore as a new patch" }).click();
    await outcome(page, "It would be ok here and now");
    await page.getByRole("button", { name: "Back to now" }).click();
    await row(page, "World").waitFor();
    await apply(page);
    await row(page, "World").waitFor({ state: "detached" });
    assert.equal(await textOf(a), `{"0":["Hello"]}`);
    assert.equal(asked.filter((each) => each.endsWith("/events")).length, 0, "one connection");
    assert.deepEqual(
      asked.filter((each) => /^GET \/(get|v1\/documents\/default)$/.test(each)),
      [],
      "the document comes by events only",
    );

    await page.getByRole("button", { name: "New document" }).click();
    await page.getByLabel("Name", { exact: true }).fill("no/name");
    await page.keyboard.press("Enter");
    await page.getByText("A name has 1 to 128").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("notes");
    await page.keyboard.press("Enter");
    await page.locator("#reason", { hasText: "no document of this name yet" }).waitFor();
    assert.equal(await page.locator("#final li").count(), 0);
    await page.getByRole("button", { name: "Object" }).click();
    await apply(page);
    await row(page, "anna").waitFor();
    assert.match(page.url(), /\?name=notes$/);
    await page.goBack();
    await row(page, "Hello").waitFor();
    await shoot(page, "documents-one");
    await closePage(page);
    for (const [name, options] of Object.entries({ narrow, dark })) {
      const other = await follow(browser, a, options);
      await row(other, "Hello").waitFor();
      await other.locator("#final li").first().waitFor();
      assert.equal(await overflowOf(other), 0, name);
      await shoot(other, `documents-one-${name}`);
      await closePage(other);
    }
  });

  test("the composer says what is wrong, by operation, before and after the node is asked", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    await patch(a, list);
    const page = await follow(browser, a);
    const field = page.getByLabel("JSON Patch");
    await field.fill(`[{"op":"add","path":"x"}, {"op":"remove","path":"/0"}]`);
    await page.locator("#mistakes li", { hasText: `Operation 0: "path" is "x"` }).waitFor();
    await page.locator("#mistakes li", { hasText: `Operation 0: "value" is missing` }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Dry run" }).isDisabled(), true);
    await shoot(page, "documents-mistakes");
    await field.fill(`[{"op":"add","path":"/1","value":2},\n {"op":"test","path":"/1","value":3}]`);
    await page.getByRole("button", { name: "Dry run" }).click();
    await outcome(page, "It would be refused");
    await outcome(page, "Expected 3, found 2");
    await page.getByRole("button", { name: "Show it" }).click();
    assert.equal(
      await page.evaluate(
        `{ const field = document.getElementById("patch"); field.value.slice(field.selectionStart, field.selectionEnd) }`,
      ),
      `{"op":"test","path":"/1","value":3}`,
    );
    await shoot(page, "documents-refused");
    await field.fill(`[{"op":"replace","path":"/0","value":"x"}]`);
    await page.keyboard.press("Control+Shift+Enter");
    await outcome(page, "It would be ok here and now");
    await outcome(page, `replace /0 "x" was []`);
    assert.equal(await textOf(a), `{"0":[]}`, "a dry run changes nothing");
    await page.getByRole("button", { name: "Guard with tests" }).click();
    await patch(a, append("meanwhile"));
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Apply", exact: true }).click();
    await outcome(page, /Refused.*PATCHFAILED/);
    assert.equal(await textOf(a), `{"0":["meanwhile"]}`);
    await closePage(page);
  });

  test("names and values that are markup are text everywhere", async () => {
    await using nodes = new DocumentNodes();
    const evil = `<img src=x onerror="globalThis.ran = true">`;
    const a = await nodes.start({ name: "a" });
    await patch(a, [{ op: "add", path: "/__proto__", value: { polluted: true } }]);
    await patch(a, [
      { op: "add", path: `/${evil}`, value: { [evil]: [evil, `<script>1</script>`] } },
    ]);
    const page = await follow(browser, a);
    await page.getByRole("button", { name: "Open all" }).click();
    await row(page, "polluted").waitFor();
    await row(page, "<script>").waitFor();
    await row(page, "onerror").click();
    await page.getByRole("button", { name: "Last writer?" }).click();
    await page.locator("#writer-text", { hasText: "a:2" }).waitFor();
    await page.locator("#final summary").first().click();
    await page.locator("#final pre", { hasText: "onerror" }).waitFor();
    await page.getByRole("button", { name: "Change…" }).click();
    await outcome(page, "It would be ok");
    await page
      .getByLabel("JSON Patch")
      .fill(JSON.stringify([{ op: "add", path: "/x", value: evil }]));
    await page.getByRole("button", { name: "Dry run" }).click();
    await page.getByText("The document as it would be").click();
    await page.getByLabel("Time: behind so many").focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator("#past-text").waitFor();
    assert.equal(await page.locator("img, #shown script").count(), 0);
    assert.deepEqual(await page.evaluate("[globalThis.ran, ({}).polluted]"), [
      undefined,
      undefined,
    ]);
    await shoot(page, "documents-markup");
    await closePage(page);
  });

  test("a document of 5 MB opens, scrolls and changes without stopping the page", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    const value = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [`user-${10_000 + i}`, { name: "x".repeat(160), i }]),
    );
    // A patch is smaller than the document, so it comes in pieces.
    for (let i = 0; i < 5; i++) await patch(a, [{ op: "add", path: `/part${i}`, value }], "big");
    assert.ok((await textOf(a, "/v1/documents/big")).length > 4_500_000);
    const page = await follow(browser, a, undefined, "big");
    await row(page, "part4").waitFor();
    await page.getByLabel("Find a name or a value").fill("user-14998");
    for (let i = 0; i < 3; i++) await page.keyboard.press("Enter");
    await page.locator("#find-text", { hasText: "3 of 5" }).waitFor();
    assert.equal(await page.locator("#pointer").innerText(), "/part2/user-14998");
    await row(page, "user-14998").waitFor();
    await row(page, "user-14998").click();
    await page.locator("#tree").focus();
    await page.keyboard.press("End");
    assert.ok((await page.locator("#tree .tree-row").count()) < 120);
    await page.evaluate(
      `{ globalThis.longest = 0; new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration); }).observe({ entryTypes: ["longtask"] }); }`,
    );
    for (let i = 0; i < 10; i++)
      await patch(a, [{ op: "replace", path: "/part4/user-14999/i", value: -i }], "big");
    await page.locator("#final li", { hasText: "-9" }).waitFor();
    const longestMs = Number(await page.evaluate("globalThis.longest"));
    assert.ok(longestMs < 1_000, `the page stood still for ${longestMs} ms`);
    await shoot(page, "documents-big");
    await closePage(page);
  });

  test("by the keyboard alone: the tree, a patch, its dry run, the history", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    await patch(a, list);
    await patch(a, append("Hello"));
    const page = await follow(browser, a);
    await row(page, "Hello").waitFor();
    await page.locator("#final li").nth(1).waitFor();
    const focused = () =>
      page.evaluate(
        `document.activeElement.getAttribute("aria-label") ?? document.activeElement.id + document.activeElement.textContent.trim()`,
      );
    const tabTo = async (name: RegExp): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        if (name.test(String(await focused()))) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`${name} is not reached by Tab`);
    };
    await tabTo(/State of the document/);
    for (const key of ["Home", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
    assert.equal(await page.locator("#pointer").innerText(), "/0/0");
    const active = await page.locator("#tree").getAttribute("aria-activedescendant");
    const item = page.locator(`#${active}`);
    assert.equal(await item.getAttribute("aria-level"), "3");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await row(page, "Hello").waitFor({ state: "visible" });
    assert.equal(
      await page.locator("[role=treeitem][aria-selected=true]").getAttribute("aria-expanded"),
      "false",
    );
    await tabTo(/^#2|a:2/);
    await page.keyboard.press("Enter");
    await page.locator("#final pre").first().waitFor();
    await tabTo(/^patch/);
    await page.keyboard.type(`[{"op":"add","path":"/keys","value":true}]`);
    await page.keyboard.press("Control+Shift+Enter");
    await outcome(page, "It would be ok");
    await page.keyboard.press("Control+Enter");
    await outcome(page, "done and durable");
    assert.equal(await textOf(a), `{"0":["Hello"],"keys":true}`);
    await closePage(page);
  });

  test("is locked where tokens are wanted; a reader looks, and is told what it may not", async () => {
    await using nodes = new DocumentNodes();
    const config = join(nodes.path, "truba.yaml");
    const sha256 = createHash("sha256").update("a-secret").digest("hex");
    writeFileSync(config, `tokens:\n  - name: reader\n    role: read\n    sha256: ${sha256}\n`);
    const a = await nodes.start({ name: "a", flags: ["--config", config] });
    const page = await openPage(browser, `http://${a}/documents`);
    await page.getByLabel("Token").waitFor();
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("does not know this token").waitFor();
    await page.keyboard.type("a-secret");
    await page.keyboard.press("Enter");
    await page.locator("#live", { hasText: "live" }).waitFor();
    await page.getByRole("button", { name: "Make a list" }).click();
    await page.getByRole("button", { name: "Apply", exact: true }).click();
    await outcome(page, "NOPERM");
    await closePage(page);
  });

  test("says when it is not connected, and follows again when the node is back", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    await patch(a, list);
    const page = await follow(browser, a, narrow);
    await row(page, "0:").waitFor();
    await nodes.end("a", "SIGKILL");
    await page.locator("#live", { hasText: "not connected" }).waitFor();
    await page
      .locator("#lost-text", { hasText: "What is shown is what the node said last" })
      .waitFor();
    await row(page, "0:").waitFor();
    await page.locator("#agreement", { hasText: "not known" }).waitFor();
    await page.locator("#reason", { hasText: "It was converged when" }).waitFor();
    await shoot(page, "documents-lost");
    await page.getByRole("button", { name: "Try now" }).click();
    await page.locator("#live", { hasText: "not connected" }).waitFor();
    await nodes.start({ name: "a", http: a });
    await patch(a, append("back"));
    await row(page, "back").waitFor();
    assert.equal(await page.locator("#lost").isVisible(), false);
    await page.locator("#agreement", { hasText: "converged" }).waitFor();
    await closePage(page);
  });
});
