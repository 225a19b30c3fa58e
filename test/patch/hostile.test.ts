/** Patches that are made to break an engine written in JavaScript: names that objects inherit, tokens that look like indexes, values that grow without end. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { PatchFailure } from "../../src/patch/failure.ts";
import { parseJson } from "../../src/patch/json-text.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";

const options = { upsert: false, maxWeight: limits.documentMaxBytes };

interface Attack {
  readonly title: string;
  /** As text, since `__proto__` in a literal is not a member. */
  readonly document: string;
  readonly patch: string;
  /** The document, or the reason of the failure. */
  readonly gives: string;
}

const attacks: readonly Attack[] = [
  {
    title: "a member called __proto__ is added to an object as any other",
    document: "{}",
    patch: '[{"op":"add","path":"/__proto__","value":{"polluted":1}}]',
    gives: '{"__proto__":{"polluted":1}}',
  },
  {
    title: "an own __proto__ can be walked through, changed, tested and removed",
    document: '{"__proto__":{"a":1}}',
    patch:
      '[{"op":"test","path":"/__proto__/a","value":1},{"op":"replace","path":"/__proto__/a","value":2},{"op":"add","path":"/b","value":0},{"op":"copy","from":"/__proto__","path":"/c"},{"op":"remove","path":"/__proto__"}]',
    gives: '{"b":0,"c":{"a":2}}',
  },
  {
    title: "the inherited __proto__ is not there",
    document: "{}",
    patch: '[{"op":"add","path":"/__proto__/polluted","value":1}]',
    gives: "missing",
  },
  {
    title: "a value with a member __proto__ comes in whole, also by copy and move",
    document: "{}",
    patch:
      '[{"op":"add","path":"/a","value":{"__proto__":{"x":1},"y":2}},{"op":"copy","from":"/a","path":"/b"},{"op":"move","from":"/a/__proto__","path":"/c"}]',
    gives: '{"a":{"y":2},"b":{"__proto__":{"x":1},"y":2},"c":{"x":1}}',
  },
  {
    title: "constructor.prototype is not there",
    document: "{}",
    patch: '[{"op":"add","path":"/constructor/prototype/polluted","value":1}]',
    gives: "missing",
  },
  {
    title: "members called constructor, prototype and hasOwnProperty are members",
    document: '{"constructor":{"prototype":1}}',
    patch:
      '[{"op":"replace","path":"/constructor/prototype","value":2},{"op":"add","path":"/prototype","value":3},{"op":"add","path":"/hasOwnProperty","value":4}]',
    gives: '{"constructor":{"prototype":2},"hasOwnProperty":4,"prototype":3}',
  },
  {
    title: "nothing inherited is removed",
    document: "{}",
    patch: '[{"op":"remove","path":"/toString"}]',
    gives: "missing",
  },
  {
    title: "nothing inherited is replaced",
    document: "{}",
    patch: '[{"op":"replace","path":"/constructor","value":1}]',
    gives: "missing",
  },
  {
    title: "nothing inherited is copied",
    document: "{}",
    patch: '[{"op":"copy","from":"/constructor","path":"/a"}]',
    gives: "missing",
  },
  {
    title: "nothing inherited is moved",
    document: "{}",
    patch: '[{"op":"move","from":"/__proto__","path":"/a"}]',
    gives: "missing",
  },
  {
    title: "nothing inherited is tested",
    document: "{}",
    patch: '[{"op":"test","path":"/__proto__","value":{}}]',
    gives: "missing",
  },
  {
    title: "an array's length is no element to replace",
    document: "[1,2]",
    patch: '[{"op":"replace","path":"/length","value":0}]',
    gives: "bad-index",
  },
  {
    title: "an array's length is nothing to copy",
    document: '{"a":[1,2]}',
    patch: '[{"op":"copy","from":"/a/length","path":"/b"}]',
    gives: "bad-index",
  },
  {
    title: "an array has no member __proto__ to add to",
    document: "[]",
    patch: '[{"op":"add","path":"/__proto__/x","value":1}]',
    gives: "bad-index",
  },
  {
    title: "an array's prototype is not replaced",
    document: "[]",
    patch: '[{"op":"add","path":"/__proto__","value":[]}]',
    gives: "bad-index",
  },
  {
    title: "a string has no elements",
    document: '{"a":"xyz"}',
    patch: '[{"op":"test","path":"/a/0","value":"x"}]',
    gives: "not-container",
  },
  {
    title: "a string's length is not there",
    document: '{"a":"xyz"}',
    patch: '[{"op":"copy","from":"/a/length","path":"/b"}]',
    gives: "not-container",
  },
  {
    title: "nothing can be added to a number",
    document: '{"a":5}',
    patch: '[{"op":"add","path":"/a/b","value":1}]',
    gives: "not-container",
  },
  {
    title: "null is a value and can be tested; what is not there is not null",
    document: '{"a":null}',
    patch: '[{"op":"test","path":"/a","value":null},{"op":"test","path":"/b","value":null}]',
    gives: "missing",
  },
  {
    title: "an index has no leading zero",
    document: "[1,2]",
    patch: '[{"op":"remove","path":"/01"}]',
    gives: "bad-index",
  },
  {
    title: "an index has no sign",
    document: "[1,2]",
    patch: '[{"op":"remove","path":"/-1"}]',
    gives: "bad-index",
  },
  {
    title: "an index has no exponent, fraction, blank or other digits",
    document: "[1,2]",
    patch: '[{"op":"test","path":"/1","value":2},{"op":"test","path":"/1e0","value":2}]',
    gives: "bad-index",
  },
  {
    title: "a huge index is out of range and makes no hole",
    document: "[1]",
    patch: '[{"op":"add","path":"/4294967295","value":1}]',
    gives: "out-of-range",
  },
  {
    title: "an element can be added right behind the last, not further",
    document: "[1]",
    patch: '[{"op":"add","path":"/1","value":2},{"op":"add","path":"/3","value":3}]',
    gives: "out-of-range",
  },
  {
    title: '"-" is for add only: nothing is there to remove',
    document: "[1]",
    patch: '[{"op":"remove","path":"/-"}]',
    gives: "bad-index",
  },
  {
    title: '"-" is for add only: nothing is there to move from',
    document: "[1]",
    patch: '[{"op":"move","from":"/-","path":"/0"}]',
    gives: "bad-index",
  },
  {
    title: 'a member may be called "-" or like an index',
    document: '{"-":1}',
    patch: '[{"op":"replace","path":"/-","value":2},{"op":"add","path":"/01","value":3}]',
    gives: '{"-":2,"01":3}',
  },
  {
    title: "nothing is moved into itself",
    document: '{"a":{"b":{}}}',
    patch: '[{"op":"move","from":"/a","path":"/a/b/c"}]',
    gives: "into-itself",
  },
  {
    title: "the document is not moved into itself",
    document: '{"a":1}',
    patch: '[{"op":"move","from":"","path":"/b"}]',
    gives: "into-itself",
  },
  {
    title: "a name that begins like another is not inside it",
    document: '{"a":1}',
    patch: '[{"op":"move","from":"/a","path":"/ab"}]',
    gives: '{"ab":1}',
  },
  {
    title: "a move to where it is does nothing, if it is there",
    document: '{"a":[1,2]}',
    patch:
      '[{"op":"move","from":"/a/1","path":"/a/1"},{"op":"move","from":"","path":""},{"op":"move","from":"/b","path":"/b"}]',
    gives: "missing",
  },
  {
    title: "a part of the document can become the document",
    document: '{"a":{"b":[1]},"c":2}',
    patch: '[{"op":"move","from":"/a/b","path":""}]',
    gives: "[1]",
  },
  {
    title: "the document cannot be removed",
    document: '{"a":1}',
    patch: '[{"op":"remove","path":""}]',
    gives: "missing",
  },
  {
    title: "a copy of the document into itself is a copy",
    document: '{"a":1}',
    patch: '[{"op":"copy","from":"","path":"/b"},{"op":"add","path":"/b/c","value":2}]',
    gives: '{"a":1,"b":{"a":1,"c":2}}',
  },
  {
    title: "a copy is not the same value: what is done to one is not done to the other",
    document: '{"a":{"x":[1]}}',
    patch: '[{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/b/x/-","value":2}]',
    gives: '{"a":{"x":[1]},"b":{"x":[1,2]}}',
  },
  {
    title: "what an operation fails at takes back what was done before it",
    document: '{"a":[1,2,3],"b":{"c":1}}',
    patch:
      '[{"op":"remove","path":"/a/0"},{"op":"move","from":"/b/c","path":"/a/-"},{"op":"replace","path":"","value":{"z":1}},{"op":"add","path":"/a/0","value":9}]',
    gives: "missing",
  },
  {
    title: "tests compare by value: members in any order, 1.0 is 1, -0 is 0",
    document: '{"a":{"x":1.0,"y":[-0]}}',
    patch: '[{"op":"test","path":"/a","value":{"y":[0],"x":1}}]',
    gives: '{"a":{"x":1,"y":[0]}}',
  },
  {
    title: "tests tell 1 from true, from its text and from an array of it",
    document: '{"a":1}',
    patch: '[{"op":"test","path":"/a","value":"1"}]',
    gives: "test-failed",
  },
  {
    title: "tests tell an array from an object with the same names",
    document: '{"a":[1]}',
    patch: '[{"op":"test","path":"/a","value":{"0":1}}]',
    gives: "test-failed",
  },
  {
    title: "tests do not see what an object inherits",
    document: '{"a":{"b":1}}',
    patch: '[{"op":"test","path":"/a","value":{"toString":1}}]',
    gives: "test-failed",
  },
  {
    title: "~0 and ~1 are undone once: ~01 is ~1",
    document: '{"~1":1,"/":2}',
    patch: '[{"op":"remove","path":"/~01"},{"op":"test","path":"/~1","value":2}]',
    gives: '{"/":2}',
  },
  {
    title: "names may be empty",
    document: '{"":{"":1}}',
    patch: '[{"op":"test","path":"//","value":1},{"op":"add","path":"/","value":2}]',
    gives: '{"":2}',
  },
  {
    title: "members that RFC 6902 does not define are passed over",
    document: "{}",
    patch:
      '[{"op":"add","path":"/a","value":1,"from":7,"~":{"t":[1,2]},"__proto__":{"op":"remove"}},{"op":"remove","path":"/a","value":3}]',
    gives: "{}",
  },
  {
    title: "a patch may be empty",
    document: '{"a":1}',
    patch: "[]",
    gives: '{"a":1}',
  },
];

suite("hostile patches (RFC 6902, P6)", () => {
  for (const { title, document, patch, gives } of attacks) {
    test(title, () => {
      const tree = treeOf(document);
      const before = canonicalText(tree.value);
      const failure = tree.apply(decodePatch(parseJson(patch, "the patch")), undefined, options);
      if (failure === undefined) assert.equal(canonicalText(tree.value), gives);
      else {
        assert.equal(failure.reason, gives, failure.text);
        assert.equal(canonicalText(tree.value), before);
      }
      assert.equal(({} as Readonly<Record<string, unknown>>)["polluted"], undefined);
      assert.equal(Object.getPrototypeOf(tree.value), prototypeOf(tree.value));
    });
  }

  test("what the prototype of all objects was given by others is not seen", () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype["planted"] = { deep: 1 };
    try {
      assert.equal(failing('{"a":1}', [{ op: "remove", path: "/planted" }]).reason, "missing");
      assert.equal(canonicalText({ a: {} }), '{"a":{}}');
      assert.throws(() => decodePatch([{ op: "add", path: "/a" }]), { code: "BADPATCH" });
    } finally {
      delete prototype["planted"];
    }
  });
});

function treeOf(text: string): Tree {
  return new Tree(JSON.parse(text) as Json);
}

function failing(document: string, patch: unknown): PatchFailure {
  const tree = treeOf(document);
  const failure = tree.apply(decodePatch(patch), undefined, options);
  assert.ok(failure !== undefined, "the patch must fail");
  assert.equal(canonicalText(tree.value), canonicalText(JSON.parse(document) as Json));
  return failure;
}

function prototypeOf(value: Json): unknown {
  return Array.isArray(value) ? Array.prototype : Object.getPrototypeOf(Object(value));
}
