/** The documents' page over several real nodes: links, clocks, conflicts, evictions, and copies that differ. What it looks like is kept in test-artifacts/. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Browser } from "playwright-core";
import type { DocumentStatus } from "../../src/documents/vocabulary.ts";
import { closePage, launch, noChromium, openPage, overflowOf, shoot } from "./fixtures/chromium.ts";
import {
  append,
  apply,
  dark,
  follow,
  list,
  narrow,
  outcome,
  row,
  wide,
} from "./fixtures/documents-page.ts";
import { eventually } from "./fixtures/eventually.ts";
import { DocumentNodes, patch, textOf } from "./fixtures/exchanging-nodes.ts";
import { notBuilt } from "./fixtures/program.ts";

suite("the documents' page over several nodes", { skip: notBuilt || noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test("over five nodes: links, clocks, tentative and final, a conflict and what was lost applied again, a member evicted", async () => {
    await using nodes = new DocumentNodes();
    const names = ["a", "b", "c", "d", "e"];
    const addresses = new Map<string, string>();
    for (const name of names)
      addresses.set(name, await nodes.start({ name, peers: [...addresses.values()] }));
    const [a = "", b = ""] = addresses.values();
    const everywhere = (text: string) =>
      eventually(
        async () => {
          const texts = await Promise.all([...addresses.values()].map((each) => textOf(each)));
          return texts.every((each) => each === text);
        },
        () => `all have ${text}`,
      );
    await patch(a, list);
    await everywhere(`{"0":[]}`);
    await patch(b, append("Hello"));
    await everywhere(`{"0":["Hello"]}`);
    const page = await follow(browser, a);
    await page.locator("#agreement", { hasText: "converged" }).waitFor();
    await page.locator("#links-count", { hasText: "4 of 4 up" }).waitFor();
    assert.equal(
      await page.locator("#matrix tbody th").count(),
      6,
      "five members, and what all hold",
    );
    assert.equal(await page.locator("#map circle").count(), 5);
    await page.locator("#timeline-count", { hasText: "all final" }).waitFor();
    await shoot(page, "documents-five");

    // Without e nothing new becomes final; a and b write the same place without knowing of each other.
    await nodes.end("e", "SIGKILL");
    await page.locator("#links-count", { hasText: "3 of 3 up" }).waitFor();
    for (const name of ["b", "c", "d"]) await nodes.end(name);
    await patch(a, [{ op: "replace", path: "/0/0", value: "of a" }]);
    await page.locator("#tentative li", { hasText: "of a" }).waitFor();
    await page.locator("#waits", { hasText: "no word of" }).waitFor();
    await nodes.end("a");
    const known = (name: string) =>
      [...addresses].flatMap(([each, at]) => (each < name ? [at] : []));
    const again = (name: string) =>
      nodes.start({ name, http: addresses.get(name) ?? "", peers: known(name) });
    await again("b");
    await patch(b, [
      { op: "test", path: "/0/0", value: "Hello" },
      { op: "replace", path: "/0/0", value: "of b" },
    ]);
    for (const name of ["a", "c", "d"]) await again(name);
    await row(page, "of").waitFor();
    addresses.delete("e");
    await eventually(
      async () => (await textOf(a)) === (await textOf(b)) && /of/.test(await textOf(a)),
      () => "a and b are one again",
    );
    const conflict = page.locator("#conflicts li", { hasText: "/0/0" }).first();
    await conflict.waitFor();
    await shoot(page, "documents-conflict");
    const kept = await textOf(a);
    const lost = kept.includes("of a") ? "of b" : "of a";
    await conflict.getByRole("button", { name: /Apply .* again/ }).click();
    await outcome(page, "It would be ok here and now");
    await outcome(page, `replace /0/0 "${lost}" was "`);
    await apply(page);
    await everywhere(`{"0":["${lost}"]}`);

    const other = await follow(browser, b, narrow);
    await other.locator("#links tbody tr").nth(2).waitFor();
    assert.equal(await overflowOf(other), 0);
    await shoot(other, "documents-five-narrow");
    await closePage(other);
    const night = await follow(browser, b, dark);
    await night.locator("#conflicts li").first().waitFor();
    await shoot(night, "documents-five-dark");
    await closePage(night);

    await page.getByRole("button", { name: "Evict e…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").fill("d");
    assert.equal(await dialog.getByRole("button", { name: "Evict" }).isDisabled(), true);
    await dialog.getByRole("textbox").fill("e");
    await shoot(page, "documents-evict");
    await page.keyboard.press("Enter");
    await dialog.getByText(/Done: transactions of e above \d+ are refused/).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#members tr", { hasText: "evicted above" }).waitFor();
    await page.locator("#timeline-count", { hasText: "all final" }).waitFor();
    await closePage(page);
  });

  test("shows DIVERGED as an alarm with both hashes, and a peer that is down with its trouble", async () => {
    await using nodes = new DocumentNodes();
    const a = await nodes.start({ name: "a" });
    const b = await nodes.start({ name: "b", peers: [a] });
    await patch(a, list);
    await eventually(
      async () => (await textOf(b)) === `{"0":[]}`,
      () => "b has it",
    );
    const page = await openPage(browser, `http://${a}/`, wide);
    // Copies that differ cannot be made: only what the node says of them is.
    await page.route("**/status", async (route) => {
      const answer = await route.fetch();
      const status = (await answer.json()) as DocumentStatus;
      if (!("agreement" in status)) return route.fulfill({ response: answer });
      const members = status.members.map((each) =>
        each.source === "b"
          ? { ...each, vclock: status.view.vclock, hash: "beef".repeat(16) }
          : each,
      );
      return route.fulfill({
        response: answer,
        json: { ...status, agreement: "DIVERGED", members },
      });
    });
    await page.goto(`http://${a}/documents`);
    const alarm = page.getByRole("alert").filter({ hasText: "DIVERGED" });
    await alarm.waitFor();
    assert.match(await alarm.innerText(), /b has beefbeef/);
    assert.match(await page.locator("#agreement").innerText(), /DIVERGED/);
    await page.locator("#matrix .hash.bad", { hasText: "DIFFERS" }).waitFor();
    await shoot(page, "documents-diverged");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await closePage(page);

    const other = await follow(browser, b);
    await nodes.end("a");
    await other.locator("#links .state.waiting").waitFor();
    await other.locator("#links .trouble").waitFor();
    await shoot(other, "documents-peer-down");
    await closePage(other);
  });
});
