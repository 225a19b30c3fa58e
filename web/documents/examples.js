/** Patches to begin with. The first three are the course exercise's: together they make {"0":["Hello","World"]}. */

/** @typedef {{ readonly name: string, readonly text: string }} Example */

/** @type {readonly Example[]} */
export const examples = [
  { name: "Make a list", text: `[{ "op": "add", "path": "/0", "value": [] }]` },
  { name: "Append Hello", text: `[{ "op": "add", "path": "/0/-", "value": "Hello" }]` },
  { name: "Append World", text: `[{ "op": "add", "path": "/0/-", "value": "World" }]` },
  {
    name: "Change only if",
    text: `[\n  { "op": "test", "path": "/0/0", "value": "Hello" },\n  { "op": "replace", "path": "/0/0", "value": "Привет" }\n]`,
  },
  { name: "Move", text: `[{ "op": "move", "from": "/0/1", "path": "/0/0" }]` },
  { name: "Copy", text: `[{ "op": "copy", "from": "/0", "path": "/copy" }]` },
  { name: "Remove", text: `[{ "op": "remove", "path": "/0" }]` },
  {
    name: "Object",
    text: `[\n  { "op": "add", "path": "/users", "value": {} },\n  { "op": "add", "path": "/users/anna", "value": { "age": 30 } }\n]`,
  },
];
