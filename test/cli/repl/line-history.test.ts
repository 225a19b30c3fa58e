/** The history: a file of the user's own, bounded, without secrets. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { historyPath, isKept, LineHistory } from "../../../src/cli/repl/line-history.ts";

class Place implements Disposable {
  readonly directory = fs.mkdtempSync(join(tmpdir(), "truba-history-"));
  readonly path = historyPath({ XDG_STATE_HOME: this.directory });

  [Symbol.dispose](): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

suite("the history of the REPL", () => {
  test("is in the state directory of the user; a relative one does not count", () => {
    assert.equal(historyPath({ XDG_STATE_HOME: "/state" }), "/state/truba/repl_history");
    assert.match(historyPath({}), /\/\.local\/state\/truba\/repl_history$/);
    assert.equal(historyPath({ XDG_STATE_HOME: "state" }), historyPath({}));
  });

  test("lives on, for its owner only, also when the file was open to others", () => {
    using place = new Place();
    LineHistory.open(place.path).add("GET a");
    fs.chmodSync(place.path, 0o644);
    const history = LineHistory.open(place.path);
    history.add("queue list");
    assert.deepEqual(history.lines, ["GET a"]);
    assert.deepEqual(LineHistory.open(place.path).lines, ["GET a", "queue list"]);
    assert.equal(fs.statSync(place.path).mode & 0o777, 0o600);
    assert.equal(fs.statSync(dirname(place.path)).mode & 0o777, 0o700);
  });

  test("keeps no secrets, nothing behind a blank, nothing that is not plain text, nothing long", () => {
    for (const line of [
      "AUTH secret",
      "auth secret",
      "HELLO 3 AUTH default secret",
      " SET a secret",
      "",
      "a\u001b[2J",
      "x".repeat(4_097),
    ])
      assert.equal(isKept(line), false, JSON.stringify(line));
    for (const line of ["SET a authority", "queue push emails труба", "author"])
      assert.equal(isKept(line), true, line);
    using place = new Place();
    const history = LineHistory.open(place.path);
    history.add("AUTH secret");
    history.add("GET a");
    assert.equal(fs.readFileSync(place.path, "utf8"), "GET a\n");
  });

  test("is bounded: the last thousand lines are offered, and a file that has grown is written anew", () => {
    using place = new Place();
    const lines = Array.from({ length: 12_000 }, (_, at) => `line ${at} ${"x".repeat(90)}`);
    fs.mkdirSync(dirname(place.path), { recursive: true });
    fs.writeFileSync(place.path, `AUTH secret\n${lines.join("\n")}\n`);
    assert.deepEqual(LineHistory.open(place.path).lines, lines.slice(-1_000));
    assert.equal(fs.readFileSync(place.path, "utf8"), `${lines.slice(-1_000).join("\n")}\n`);
    assert.deepEqual(fs.readdirSync(dirname(place.path)), ["repl_history"]);
  });

  test("a place that cannot be written is no reason not to work", () => {
    using place = new Place();
    fs.writeFileSync(join(place.directory, "truba"), "a file");
    const history = LineHistory.open(place.path);
    history.add("GET a");
    assert.deepEqual(history.lines, []);
  });
});
