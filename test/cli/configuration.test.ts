/** Configuration (DESIGN §12): four sources in rising order, one table of options, all problems at once. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { problemsText } from "../../src/cli/configuration-problem.ts";
import { environmentNameOf, keyOf, optionNames, options } from "../../src/cli/options.ts";
import { load, problems } from "./configuration-fixture.ts";

suite("configuration (DESIGN §12)", () => {
  test("nothing given: the defaults of the design", () => {
    const { values, problems: found, sources } = load({});
    assert.deepEqual(found, []);
    assert.deepEqual(values, {
      config: undefined,
      data: "./data",
      listen: { host: "127.0.0.1", port: 8765 },
      http: { host: "127.0.0.1", port: 8080 },
      advertise: undefined,
      insecure: false,
      tlsCert: undefined,
      tlsKey: undefined,
      tlsClientCa: undefined,
      httpOrigins: undefined,
      replicationFactor: 3,
      partitions: 16,
      clusterName: "Truba",
      name: undefined,
      documentPeers: undefined,
      logLevel: "info",
      shutdownSeconds: 10,
      walSegmentBytes: 67_108_864,
    });
    assert.equal(sources.get("partitions"), "default");
  });

  test("flags stand over the environment, that over the file, that over the defaults", () => {
    const file = "partitions: 4\ndata: /from/file\nname: file\n# a comment\nlog-level: warn\n";
    const environment = { TRUBA_PARTITIONS: "5", TRUBA_NAME: "environment", HOME: "/root" };
    const { values, sources } = load({ flags: { partitions: "6", json: true }, environment, file });
    assert.equal(values?.partitions, 6);
    assert.equal(values?.name, "environment");
    assert.equal(values?.data, "/from/file");
    assert.equal(values?.logLevel, "warn");
    assert.equal(values?.replicationFactor, 3);
    assert.equal(sources.get("partitions"), "--partitions");
    assert.equal(sources.get("name"), "TRUBA_NAME");
    assert.equal(sources.get("logLevel"), "truba.yaml:5");
  });

  test("all problems of all sources are told together, each with its place", () => {
    const found = problems({
      file: "\npartitions: many\ncluster_name: x\n",
      environment: { TRUBA_REPLICATION_FACTOR: "9", TRUBA_PARTITION: "1" },
      flags: { logLevel: "loud" },
      unplaced: ["--lissten", "x"],
    });
    assert.deepEqual(found, [
      'truba.yaml:2: partitions is "many"; it must be a whole number from 1 to 1,024',
      'truba.yaml:3: "cluster_name" is not an option of the file; did you mean cluster-name?',
      'TRUBA_REPLICATION_FACTOR: replication-factor is "9"; it must be a whole number from 1 to 7',
      "TRUBA_PARTITION: is not an option; did you mean TRUBA_PARTITIONS?",
      '--log-level: log-level is "loud"; it must be one of debug, info, warn, error, silent',
      "--lissten: is not an option; did you mean --listen?",
    ]);
  });

  test("a wrong value is a problem even if a higher source covers it", () => {
    assert.equal(problems({ file: "partitions: 0", flags: { partitions: "4" } }).length, 1);
  });

  test("with a problem there are no values", () => {
    assert.equal(load({ flags: { partitions: "0" } }).values, undefined);
  });

  test("the list for people counts the problems", () => {
    const text = problemsText(load({ flags: { partitions: "0", name: "" } }).problems);
    assert.match(text, /^The configuration has 2 problems:\n {2}--partitions: .*\n {2}--name: .*$/);
  });

  for (const text of [
    "1e3",
    "-1",
    "0",
    "1025",
    "",
    " 4",
    "4 ",
    "+4",
    "04",
    "4.0",
    "0x4",
    "NaN",
    "9".repeat(400),
    "٤",
  ]) {
    test(`partitions ${JSON.stringify(text.slice(0, 9))} is refused from every source, with its value and range`, () => {
      for (const given of [
        { flags: { partitions: text } },
        { environment: { TRUBA_PARTITIONS: text } },
        { file: `partitions: ${JSON.stringify(text)}` },
      ]) {
        const found = problems(given);
        assert.equal(found.length, 1, found.join("\n"));
        assert.match(
          found[0] ?? "",
          /partitions is (empty|"[^"]+"); it must be a whole number from 1 to 1,024$/,
        );
        assert.ok((found[0] ?? "").length < 250);
      }
    });
  }

  test("both ends of a range are in it", () => {
    for (const text of ["1", "1024"])
      assert.deepEqual(problems({ flags: { partitions: text } }), []);
  });
});

suite("options", () => {
  test("an address beyond loopback needs insecure, and says why", () => {
    for (const listen of [
      "0.0.0.0:8765",
      "[::]:8765",
      "10.0.0.1:1",
      "example.org:80",
      "[::ffff:10.0.0.1]:1",
    ]) {
      const found = problems({ flags: { listen } });
      assert.equal(found.length, 1, listen);
      assert.match(found[0] ?? "", /^--listen: .* no authentication.* --insecure$/);
      assert.deepEqual(problems({ flags: { listen, insecure: true } }), []);
      assert.deepEqual(
        problems({ flags: { listen }, environment: { TRUBA_INSECURE: "true" } }),
        [],
      );
    }
    for (const listen of [
      "127.0.0.1:1",
      "127.3.2.1:0",
      "[::1]:8765",
      "[0:0:0:0:0:0:0:1]:1",
      "localhost:1",
      "[::ffff:127.0.0.1]:1",
    ]) {
      assert.deepEqual(problems({ flags: { listen } }), [], listen);
    }
  });

  test("HTTP beyond loopback needs the same; off listens nowhere", () => {
    const found = problems({ flags: { http: "0.0.0.0:80", listen: "0.0.0.0:81" } });
    assert.deepEqual(
      found.map((text) => text.replace(/ can be reached.*/, "")),
      ["--listen: 0.0.0.0:81", "--http: 0.0.0.0:80"],
    );
    assert.equal(load({ flags: { http: "off" } }).values?.http, "off");
    assert.match(
      problems({ flags: { http: "on" } })[0] ?? "",
      /http is "on"; it must be off or HOST:PORT/,
    );
  });

  test("a token is authentication: the node may listen beyond loopback", () => {
    const file = `tokens:\n  - {name: app, role: write, sha256: ${"ab".repeat(32)}}\n`;
    assert.deepEqual(problems({ file, flags: { listen: "0.0.0.0:1", http: "[::]:80" } }), []);
    assert.equal(problems({ file: "tokens: []\nlisten: 0.0.0.0:1\n" }).length, 1);
  });

  test("origins are compared as browsers send them, so they must be written so", () => {
    const good = "https://app.example, http://localhost:3000";
    assert.deepEqual(load({ flags: { httpOrigins: good } }).values?.httpOrigins, [
      "https://app.example",
      "http://localhost:3000",
    ]);
    for (const bad of [
      "",
      "*",
      "null",
      "https://a/",
      "https://A.example",
      "https://a:443",
      "ftp://a",
      "a.example",
      "https://a,",
    ]) {
      assert.match(
        problems({ flags: { httpOrigins: bad } })[0] ?? "",
        /http-origins is .* origins such as/,
        bad,
      );
    }
  });

  test("an IPv6 address stands in brackets", () => {
    assert.deepEqual(load({ flags: { listen: "[::1]:9" } }).values?.listen, {
      host: "::1",
      port: 9,
    });
  });

  for (const listen of [
    "::1:8765",
    "8765",
    ":8765",
    "localhost",
    "localhost:",
    "a:b",
    "127.0.0.1:65536",
    "127.0.0.300:1",
    "[::g]:1",
    "[]:1",
    "[127.0.0.1]:1",
    "a b:1",
    "http://a:1",
    "127.0.0.1:08",
    "-a:1",
  ]) {
    test(`listen ${JSON.stringify(listen)} is refused`, () => {
      assert.match(
        problems({ flags: { listen } })[0] ?? "",
        /^--listen: listen is .* must be HOST:PORT/,
      );
    });
  }

  test("others cannot be told port 0", () => {
    assert.equal(problems({ flags: { advertise: "127.0.0.1:0" } }).length, 1);
    assert.deepEqual(problems({ flags: { listen: "127.0.0.1:0" } }), []);
  });

  test("names are bounded in bytes and have no control characters (P8)", () => {
    assert.equal(
      load({ flags: { clusterName: "Warehouse 13" } }).values?.clusterName,
      "Warehouse 13",
    );
    for (const clusterName of [" a", "a ", "a\nb", "\u202ea", "é".repeat(33), "\ud800"]) {
      assert.equal(problems({ flags: { clusterName } }).length, 1, JSON.stringify(clusterName));
    }
    for (const name of ["a b", "é", "a".repeat(65)])
      assert.equal(problems({ flags: { name } }).length, 1);
  });

  test("what is not built is not offered", () => {
    for (const name of ["webhooks", "join", "dead-after", "document-peers"]) {
      const variable = `TRUBA_${name.toUpperCase().replaceAll("-", "_")}`;
      assert.equal(problems({ file: `${name}: "1"` }).length, 1);
      assert.equal(problems({ environment: { [variable]: "1" } }).length, 1);
      assert.equal(problems({ unplaced: [`--${name}=1`] }).length, 1);
    }
  });

  test("the variables that Kubernetes makes for a service named truba are no options and no problem", () => {
    const environment = {
      TRUBA_SERVICE_HOST: "10.0.0.1",
      TRUBA_SERVICE_PORT: "8765",
      TRUBA_SERVICE_PORT_RESP: "8765",
      TRUBA_PORT: "tcp://10.0.0.1:8765",
      TRUBA_PORT_8765_TCP: "tcp://10.0.0.1:8765",
      TRUBA_PORT_8765_TCP_ADDR: "10.0.0.1",
      TRUBA_PEERS_SERVICE_HOST: "10.0.0.1",
    };
    assert.deepEqual(problems({ environment }), []);
  });

  test("no option's environment name is taken for such a variable, and every default is in range", () => {
    for (const name of optionNames) {
      const standard = options[name].default;
      const environment = standard === undefined ? {} : { [environmentNameOf(name)]: standard };
      const { sources, problems: found } = load({ environment });
      assert.deepEqual(found, []);
      if (standard !== undefined) assert.equal(sources.get(name), environmentNameOf(name));
    }
  });

  test("unknown arguments are told with their nearest option; a stray word by itself", () => {
    assert.deepEqual(problems({ unplaced: ["--partitons", "5", "--data-dir=/x", "stray"] }), [
      "--partitons: is not an option; did you mean --partitions?",
      "--data-dir: is not an option; did you mean --data?",
      "stray: is not expected here",
    ]);
  });
});

suite("configuration under junk", () => {
  const junk = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.constantFrom(
      "[",
      "{",
      "&a",
      "*a",
      "? ",
      "!!int 5",
      "\0",
      "1e999",
      "-",
      "|",
      "--- ...",
      "\u2028",
    ),
    fc.nat().map(String),
  );
  const names = fc.constantFrom(...optionNames);

  test("from flags, environment and file: never throws, and has values or problems, never both", () => {
    const flags = fc.dictionary(names, fc.oneof(junk, fc.anything()));
    const environment = fc.dictionary(
      fc.oneof(
        names.map(environmentNameOf),
        junk.map((s) => `TRUBA_${s}`),
      ),
      junk,
    );
    const lines = fc.array(fc.tuple(fc.oneof(names.map(keyOf), junk), junk));
    const file = fc.oneof(
      lines.map((all) => all.map(([key, value]) => `${key}: ${value}`).join("\n")),
      fc.uint8Array({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(flags, environment, file, fc.array(junk), (f, e, text, unplaced) => {
        const { values, problems: found } = load({
          flags: f,
          environment: e,
          file: text,
          unplaced,
        });
        assert.equal(values === undefined, found.length > 0);
        for (const { text: said } of found) assert.ok(said.length > 0);
        if (values === undefined) return;
        assert.ok(
          Number.isInteger(values.partitions) &&
            values.partitions >= 1 &&
            values.partitions <= 1_024,
        );
        for (const address of [values.listen, values.http]) {
          if (values.insecure || address === "off") continue;
          const host = address.host.toLowerCase();
          assert.ok(["127.", "::", "lo"].some((start) => host.startsWith(start)));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("any whole number in range is taken, any other refused", () => {
    fc.assert(
      fc.property(fc.integer(), (number) => {
        const found = problems({ flags: { partitions: String(number) } });
        assert.equal(found.length === 0, number >= 1 && number <= 1_024);
      }),
    );
  });
});
