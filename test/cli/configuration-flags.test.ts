/** The table of options as flags, read by commander as `truba serve` will. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Command } from "@commander-js/extra-typings";
import { configurationFlags, flagTexts } from "../../src/cli/configuration-flags.ts";
import { loadConfiguration } from "../../src/cli/configuration.ts";
import { environmentNameOf, keyOf, optionNames } from "../../src/cli/options.ts";

function command(): Command {
  const serve = new Command("serve").exitOverride().allowUnknownOption().allowExcessArguments();
  for (const flag of configurationFlags()) serve.addOption(flag);
  return serve;
}

suite("configuration flags (DESIGN §12)", () => {
  test("every option arrives under its name, negative numbers too, and unknown ones are left over", () => {
    const given = [
      "--replication-factor",
      "1",
      "--partitions",
      "-1",
      "--insecure",
      "--log-levl",
      "x",
    ];
    const serve = command().parse(given, { from: "user" });
    assert.deepEqual(Object.fromEntries(flagTexts(serve.opts())), {
      insecure: "true",
      replicationFactor: "1",
      partitions: "-1",
    });
    const { problems } = loadConfiguration({
      flags: serve.opts(),
      unplaced: serve.args,
      environment: {},
      files: { read: () => undefined },
    });
    assert.deepEqual(
      problems.map(({ source }) => source),
      ["--partitions", "--log-levl"],
    );
  });

  test("the help names every flag, its environment name, and the default where there is one", () => {
    const help = command().helpInformation().replace(/\s+/g, " ");
    for (const name of optionNames) {
      assert.ok(help.includes(`--${keyOf(name)}`), name);
      assert.ok(help.includes(environmentNameOf(name)), name);
    }
    assert.ok(help.includes("default 127.0.0.1:8765; TRUBA_LISTEN"));
  });
});
