/** Documents in the configuration: peers from flag, variable and file, and what only the file can say (DESIGN §12). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parsePeerAddress } from "../../src/cli/peer-addresses.ts";
import { load, problems } from "./configuration-fixture.ts";

const peersOf = (given: Parameters<typeof load>[0]): readonly string[] | undefined =>
  load(given).values?.documentPeers?.map(({ text }) => text);

suite("documents in the configuration", () => {
  test("peers: the flag stands over the variable, that over the file's section", () => {
    const file = "documents:\n  peers:\n    - a:1\n    - 10.0.0.2:8080/d/notes\n";
    assert.deepEqual(peersOf({ file }), ["a:1", "10.0.0.2:8080/d/notes"]);
    assert.equal(load({ file }).sources.get("documentPeers"), "truba.yaml:2");
    const environment = { TRUBA_DOCUMENT_PEERS: "b:2, c:3" };
    assert.deepEqual(peersOf({ file, environment }), ["b:2", "c:3"]);
    const flags = { documentPeers: "wss://d.example:4" };
    assert.deepEqual(peersOf({ file, environment, flags }), ["wss://d.example:4"]);
  });

  test("a peer is HOST:PORT, perhaps with a document, perhaps over TLS", () => {
    const text = "10.0.0.2:8080";
    const plain = { host: "10.0.0.2", port: 8080, tls: false, document: "default" };
    assert.deepEqual(parsePeerAddress(text), { ...plain, text });
    assert.deepEqual(parsePeerAddress("http://10.0.0.2:8080/"), {
      ...plain,
      text: "http://10.0.0.2:8080/",
    });
    for (const scheme of ["wss", "https"])
      assert.equal(parsePeerAddress(`${scheme}://node-2.example:443`)?.tls, true);
    assert.equal(parsePeerAddress("[::1]:8081/d/a.b~c")?.document, "a.b~c");
    for (const wrong of [
      "a",
      "a:0",
      "a:1/x",
      "a:1/d/",
      "a:1/d/b%20",
      "ftp://a:1",
      "a:1/d/b/ws",
      "",
    ])
      assert.equal(parsePeerAddress(wrong), undefined, wrong);
  });

  test("what is wrong with a peer is told with its line, and a peer that is named twice", () => {
    const found = problems({ file: "documents:\n  peers:\n    - a:1\n    - b\n    - {c: 1}\n" });
    assert.match(found[0] ?? "", /^truba\.yaml:4: a peer is "b"; it must be HOST:PORT/);
    assert.match(found[1] ?? "", /^truba\.yaml:5: a peer is a map; it must be HOST:PORT/);
    assert.match(
      problems({ flags: { documentPeers: "a:1,a:1" } })[0] ?? "",
      /^--document-peers: document-peers is "a:1,a:1"; it must be 1 to 256 peers, each once/,
    );
    assert.match(problems({ file: "documents:\n  peers: a:1\n" })[0] ?? "", /must be a list/);
  });

  test("history-days: how long what every member has is kept, in whole days", () => {
    assert.equal(load({ file: days("30") }).sections.documents?.historyDays, 30);
    for (const wrong of ["0", "1.5", "36501", "always"])
      assert.match(
        problems({ file: days(wrong) })[0] ?? "",
        /^truba\.yaml:2: history-days .* must be .*36,?500/,
        wrong,
      );
  });

  test("a section that says nothing is none; what it may not say is told", () => {
    assert.equal(load({ file: "documents:\n" }).sections.documents, undefined);
    assert.deepEqual(load({ file: "documents: {peers: []}" }).sections.documents, {
      peers: undefined,
      peerTokenFile: undefined,
      historyDays: undefined,
    });
    assert.deepEqual(problems({ file: "documents:\n  peer: a:1\n  peer-token-file: ''\n" }), [
      'truba.yaml:2: documents has no setting "peer"; did you mean peers?',
      "truba.yaml:3: peer-token-file is empty; it must be a path of 1 to 4,096 bytes",
    ]);
    assert.match(problems({ file: "documents: [a]" })[0] ?? "", /documents must be lines of NAME/);
  });

  test("the secret for peers is read from a file of its own and shown in no problem", () => {
    const file = "documents:\n  peer-token-file: /secret\n";
    const missing = problems({ file });
    assert.deepEqual(missing, ["truba.yaml:2: /secret does not exist"]);
    assert.equal(load({ file, others: { "/secret": "abc123\n" } }).peerToken, "abc123");
    const found = problems({ file, others: { "/secret": "two words" } });
    assert.match(found[0] ?? "", /^truba\.yaml:2: \/secret must hold the secret of a token/);
    assert.doesNotMatch(found.join(), /two words/);
  });
});

function days(text: string): string {
  return `documents:\n  history-days: ${text}\n`;
}
