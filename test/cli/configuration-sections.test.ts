/** The sections of truba.yaml, tokens and sessions (DESIGN §8, §12): what they may hold; every problem with its line; no secret in any of them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { loadConfiguration } from "../../src/cli/configuration.ts";
import { checkKinds } from "../../src/machines/sessions/kinds.ts";
import { filesOf, load, problems } from "./configuration-fixture.ts";

const hash = "0123456789abcdef".repeat(4);
const otherHash = "fedcba9876543210".repeat(4);

/** The token of this number. */
function entry(at: number): string {
  return `  - {name: t${at}, role: read, sha256: ${at.toString(16).padStart(64, "0")}}\n`;
}

/** The kind of this number. */
function line(at: number): string {
  return `  kind-${at}: {number: ${at + 1}, delay: 5, spread: 1, repeats: 20, length: 1000, silence: 30}\n`;
}

/** A file with so many tokens. */
function tokensFile(count: number): string {
  return `tokens:\n${Array.from({ length: count }, (_, at) => entry(at)).join("")}`;
}

/** A file with so many kinds. */
function kindsFile(count: number): string {
  return `sessions:\n${Array.from({ length: count }, (_, at) => line(at)).join("")}`;
}

/** The problems that these flags and files have. */
function loadWith(flags: Record<string, string>, files: Record<string, string>): string[] {
  return loadConfiguration({ flags, environment: {}, files: filesOf(files) }).problems.map(
    ({ source, text }) => `${source}: ${text}`,
  );
}

suite("tokens in the file", () => {
  test("are read in both ways of writing YAML", () => {
    const file = `tokens:
  - name: app
    role: write
    sha256: ${hash}
  - {name: "operator", role: admin, sha256: '${otherHash.toUpperCase()}'}
`;
    assert.deepEqual(load({ file }).sections.tokens, [
      { name: "app", role: "write", sha256: hash },
      { name: "operator", role: "admin", sha256: otherHash },
    ]);
  });

  test("a hash of digits only is not taken for a number", () => {
    const digits = "1234567890".repeat(7).slice(0, 64);
    const file = `tokens:\n  - {name: app, role: read, sha256: ${digits}}\n`;
    assert.equal(load({ file }).sections.tokens[0]?.sha256, digits);
  });

  test("an empty section holds nothing; of kinds that is something else than no section", () => {
    for (const file of ["", "tokens:\n", "tokens: []\n"]) {
      assert.deepEqual(problems({ file }), []);
      assert.deepEqual(load({ file }).sections, {
        tokens: [],
        sessions: undefined,
        documents: undefined,
      });
    }
    for (const file of ["sessions:\n", "sessions: {}\n"]) {
      assert.deepEqual(problems({ file }), []);
      assert.deepEqual(load({ file }).sections, {
        tokens: [],
        sessions: [],
        documents: undefined,
      });
    }
  });

  test("all problems are told together, each with its line", () => {
    const file = `tokens:
  - name: a b
    role: boss
    sha256: ${hash}
  - name: app
    rolle: write
  - text
  - name: twin
    role: read
    sha256: ${hash}
  - name: twin
    role: read
    sha256: ${hash}
`;
    assert.deepEqual(problems({ file }), [
      'truba.yaml:2: name of the token is "a b"; it must be 1 to 64 printable ASCII characters without spaces and commas',
      'truba.yaml:3: role of the token is "boss"; it must be one of read, write, admin, peer',
      'truba.yaml:6: the token has no setting "rolle"; did you mean role?',
      "truba.yaml:5: the token has no role; it must be one of read, write, admin, peer",
      "truba.yaml:5: the token has no sha256; it must be the 64 hexadecimal digits of a SHA-256, as `truba token` prints them",
      "truba.yaml:7: a token must have a name, a role and a sha256",
      "truba.yaml:11: the name twin is that of another token, at truba.yaml:8",
      "truba.yaml:11: the sha256 of twin is that of another token, at truba.yaml:8",
    ]);
  });

  test("a secret where its hash belongs is refused and not repeated", () => {
    const secret = "truba_zYxWvUtSrQpOnMlKjIhGfEdCbA9876543210-abcde";
    for (const file of [
      `tokens:\n  - {name: app, role: write, sha256: ${secret}}\n`,
      `tokens:\n  - {name: app, role: write, sha256: [${secret}]}\n`,
      `tokens:\n  - ${secret}\n`,
      `tokens: ${secret}\n`,
    ]) {
      const found = problems({ file });
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(!found.join("\n").includes(secret.slice(6)), found.join("\n"));
    }
  });

  test("cannot come from a flag or a variable: they would be seen by other programs", () => {
    assert.equal(problems({ environment: { TRUBA_TOKENS: "x" } }).length, 1);
    assert.equal(problems({ unplaced: ["--tokens", "x"] }).length, 1);
  });

  test("there are bounds (P8)", () => {
    assert.deepEqual(problems({ file: tokensFile(256) }), []);
    assert.deepEqual(problems({ file: tokensFile(257) }), [
      "truba.yaml:1: there are 257 tokens; at most 256 may be",
    ]);
  });
});

suite("kinds of sessions in the file", () => {
  test("have defaults; durations are seconds with fractions, kept in milliseconds", () => {
    const file = `sessions:
  order:
    number: 1
  mail: {number: 4294967295, delay: 0.25, spread: 0, repeats: 0, length: 16777216, silence: 1.5}
`;
    assert.deepEqual(load({ file }).sections.sessions, [
      {
        name: "order",
        number: 1,
        delayMs: 5_000,
        spreadMs: 1_000,
        maxRepeats: 20,
        maxBytes: 1_048_576,
        silenceMs: 30_000,
      },
      {
        name: "mail",
        number: 4_294_967_295,
        delayMs: 250,
        spreadMs: 0,
        maxRepeats: 0,
        maxBytes: 16_777_216,
        silenceMs: 1_500,
      },
    ]);
  });

  test("all problems are told together, each with its line", () => {
    const file = `sessions:
  order:
    number: 0
    delay: -1
  "a,b": {number: 2}
  mail:
    number: 3
    silence: 0.5
    length: 1e6
    repeat: 4
    spread: 1.2345
  other: {number: 3}
  twin: {number: 3}
  again: {delay: *x}
  plain: 5
`.replace("*x", "[1]");
    assert.deepEqual(problems({ file }), [
      'truba.yaml:3: number of the kind "order" is "0"; it must be a whole number from 1 to 4,294,967,295',
      'truba.yaml:4: delay of the kind "order" is "-1"; it must be seconds from 0 to 315,576,000, with at most three digits behind the point',
      'truba.yaml:5: the kind "a,b" must have a name of 1 to 64 printable ASCII characters without spaces and commas',
      'truba.yaml:8: silence of the kind "mail" is "0.5"; it must be seconds from 1 to 315,576,000, with at most three digits behind the point',
      'truba.yaml:9: length of the kind "mail" is "1e6"; it must be a whole number from 1 to 16,777,216',
      'truba.yaml:10: the kind "mail" has no setting "repeat"; did you mean repeats?',
      'truba.yaml:11: spread of the kind "mail" is "1.2345"; it must be seconds from 0 to 315,576,000, with at most three digits behind the point',
      "truba.yaml:13: the number 3 is that of another kind, at truba.yaml:12",
      'truba.yaml:14: delay of the kind "again" is a list; it must be seconds from 0 to 315,576,000, with at most three digits behind the point',
      'truba.yaml:14: the kind "again" has no number; it must be a whole number from 1 to 4,294,967,295',
      'truba.yaml:15: the kind "plain" must have settings, a number at least',
    ]);
  });

  test("a kind twice, and what is no map, are problems", () => {
    assert.deepEqual(problems({ file: "sessions:\n  a: {number: 1}\n  a: {number: 2}\n" }), [
      "truba.yaml:3: the name stands here a second time",
    ]);
    assert.deepEqual(problems({ file: "sessions: [a]\n" }), [
      "truba.yaml:1: sessions must be lines of KIND: and under each its settings",
    ]);
    assert.match(
      problems({ file: "a: &x {number: 1}\nsessions: {b: *x}\n" }).join(),
      /must have settings/,
    );
  });

  test("all kinds may stand on one line", () => {
    const all = Array.from({ length: 5 }, (_, at) => line(at).trim()).join(", ");
    const { sections } = load({ file: `sessions: {${all}}` });
    assert.equal(sections.sessions?.length, 5);
  });

  test("names that mean something to JavaScript are names", () => {
    const file = "sessions:\n  __proto__: {number: 1}\n  constructor: {number: 2}\n";
    assert.deepEqual(
      load({ file }).sections.sessions?.map(({ name }) => name),
      ["__proto__", "constructor"],
    );
    assert.match(
      problems({ file: "sessions: {a: {number: 1, __proto__: 2}}" })[0] ?? "",
      /no setting "__proto__"/,
    );
  });

  test("256 kinds fit into a file, on lines of their own and in brackets; 257 are too many (P8)", () => {
    assert.deepEqual(problems({ file: kindsFile(256) }), []);
    assert.equal(load({ file: kindsFile(256) }).sections.sessions?.length, 256);
    assert.deepEqual(problems({ file: kindsFile(257) }), [
      "truba.yaml:1: there are 257 kinds of sessions; at most 256 may be",
    ]);
  });

  test("whatever the file may say of kinds, the machine takes", () => {
    const number = fc.oneof(
      fc.integer({ min: -2, max: 2 ** 33 }),
      fc.constantFrom(1, 2, 0.5, 1.0005),
    );
    const setting = fc.constantFrom("delay", "spread", "repeats", "length", "silence");
    const kind = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.dictionary(setting, number));
    const name = fc.oneof(fc.string({ maxLength: 70 }), fc.constantFrom("a", "b", "__proto__"));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, kind), { maxLength: 4 }), (all) => {
        const lines = all.map(([key, [id, settings]]) => {
          const parts = Object.entries(settings).map(([part, value]) => `${part}: ${value}`);
          return `  ${JSON.stringify(key)}: {${[`number: ${id}`, ...parts].join(", ")}}\n`;
        });
        const { values, sections } = load({ file: `sessions:\n${lines.join("")}` });
        if (values === undefined) return;
        assert.equal(sections.sessions?.length, all.length);
        assert.deepEqual(checkKinds(sections.sessions ?? []), []);
      }),
      { numRuns: 500 },
    );
  });
});

suite("TLS files", () => {
  test("certificate and key come together, and clients' authorities with them", () => {
    assert.deepEqual(loadWith({ tlsCert: "a" }, {}), [
      "--tls-cert: tls-cert needs tls-key, the private key of the certificate",
    ]);
    assert.deepEqual(loadWith({ tlsKey: "a" }, {}), [
      "--tls-key: tls-key needs tls-cert, the certificate of the key",
    ]);
    assert.match(
      loadWith({ tlsClientCa: "a" }, {}).join(),
      /^--tls-client-ca: .* needs tls-cert and tls-key/,
    );
  });

  test("files that are missing or hold nothing in PEM are problems that name them", () => {
    assert.deepEqual(
      loadWith(
        { tlsCert: "a.crt", tlsKey: "a.key", tlsClientCa: "ca" },
        { "a.key": "secret", ca: "" },
      ),
      [
        "--tls-cert: a.crt does not exist",
        "--tls-key: a.key holds nothing in PEM",
        "--tls-client-ca: ca holds nothing in PEM",
      ],
    );
  });

  test("a file of broken certificates is a problem, not an empty list of authorities", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const found = loadWith(
      { tlsCert: "a", tlsKey: "b", tlsClientCa: "c" },
      { a: broken, b: broken, c: "-----BEGIN X-----" },
    );
    assert.match(found[0] ?? "", /^--tls-cert: certificate 1 of a cannot be read: /);
    assert.equal(found[1], "--tls-client-ca: c holds no certificate");
  });
});
