/**
 * JSON Pointers (RFC 6901), and patches applied in place as the node tells them: these never fail at the node, so one that fails here means that this page missed something.
 * `__proto__` is a name like any other: members are looked up as own ones, and made by definition.
 */

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {{ op: string, path: string, from?: string, value?: Json }} Operation
 * @typedef {Record<string, Json>} Members
 */

/**
 * @param {string} pointer
 * @returns {string[]}
 */
export function tokensOf(pointer) {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** @param {string | number} token */
export function escapeToken(token) {
  return String(token).replaceAll("~", "~0").replaceAll("/", "~1");
}

/** @param {readonly (string | number)[]} tokens */
export function pointerOf(tokens) {
  return tokens.map((token) => `/${escapeToken(token)}`).join("");
}

/** @param {Json | undefined} value */
export function isContainer(value) {
  return typeof value === "object" && value !== null;
}

/**
 * What stands there, or `undefined`.
 * @param {Json | undefined} root
 * @param {readonly string[]} tokens
 * @returns {Json | undefined}
 */
export function valueAt(root, tokens) {
  let value = root;
  for (const token of tokens) {
    if (Array.isArray(value)) value = indexPattern.test(token) ? value[Number(token)] : undefined;
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, token))
      value = /** @type {Members} */ (value)[token];
    else return undefined;
  }
  return value;
}

const indexPattern = /^(?:0|[1-9]\d*)$/;

/** @param {Json} value */
export function copyOf(value) {
  return typeof value === "object" && value !== null ? structuredCopy(value) : value;
}

/**
 * @param {Json} value
 * @returns {Json}
 */
function structuredCopy(value) {
  return /** @type {Json} */ (JSON.parse(JSON.stringify(value)));
}

/**
 * @param {Members} members
 * @param {string} name
 * @param {Json} value
 */
function define(members, name, value) {
  if (name === "__proto__")
    Object.defineProperty(members, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  else members[name] = value;
}

/**
 * Applies the operations one after the other and returns the value; containers change in place. `touched` is told every container whose members came or went. Throws if an operation cannot
 * be done; then the value is of no use any more.
 * @param {Json} root
 * @param {readonly Operation[]} operations
 * @param {(container: object) => void} [touched]
 * @returns {Json}
 */
export function applied(root, operations, touched = () => {}) {
  let value = root;
  for (const operation of operations) {
    const { op, path } = operation;
    if (op === "test") continue;
    if (op === "remove") value = removed(value, path, touched);
    else if (op === "add") value = put(value, path, copyOf(given(operation)), false, touched);
    else if (op === "replace") value = put(value, path, copyOf(given(operation)), true, touched);
    else if (op === "copy")
      value = put(value, path, copyOf(found(value, operation)), false, touched);
    else if (op === "move") {
      const moved = found(value, operation);
      if (operation.from === path) continue;
      value = put(removed(value, operation.from ?? "", touched), path, moved, false, touched);
    } else throw new Error(`there is no operation ${op}`);
  }
  return value;
}

/** @param {Operation} operation */
function given({ op, value }) {
  if (value === undefined) throw new Error(`${op} has no value`);
  return value;
}

/**
 * @param {Json} root
 * @param {Operation} operation
 */
function found(root, { op, from = "" }) {
  const value = valueAt(root, tokensOf(from));
  if (value === undefined) throw new Error(`${op} finds nothing at ${from}`);
  return value;
}

/**
 * @param {Json} root
 * @param {string} path
 * @param {Json} value
 * @param {boolean} replaces
 * @param {(container: object) => void} touched
 */
function put(root, path, value, replaces, touched) {
  const tokens = tokensOf(path);
  const last = tokens.pop();
  if (last === undefined) return value;
  const parent = valueAt(root, tokens);
  if (Array.isArray(parent)) {
    const list = /** @type {Json[]} */ (parent);
    const index = last === "-" ? list.length : indexOf(last, path);
    if (index > list.length || (replaces && index === list.length))
      throw new Error(`${path} is out of range`);
    if (replaces) list[index] = value;
    else list.splice(index, 0, value);
  } else if (typeof parent === "object" && parent !== null) {
    const members = /** @type {Members} */ (parent);
    if (!Object.hasOwn(members, last)) touched(members);
    define(members, last, value);
  } else throw new Error(`${path} has no parent`);
  return root;
}

/**
 * @param {Json} root
 * @param {string} path
 * @param {(container: object) => void} touched
 */
function removed(root, path, touched) {
  const tokens = tokensOf(path);
  const last = tokens.pop();
  if (last === undefined) return null;
  const parent = valueAt(root, tokens);
  if (Array.isArray(parent)) {
    const index = indexOf(last, path);
    if (index >= parent.length) throw new Error(`${path} is out of range`);
    /** @type {Json[]} */ (parent).splice(index, 1);
  } else if (typeof parent === "object" && parent !== null && Object.hasOwn(parent, last)) {
    touched(parent);
    delete (/** @type {Members} */ (parent)[last]);
  } else throw new Error(`there is nothing at ${path}`);
  return root;
}

/**
 * @param {string} token
 * @param {string} path
 */
function indexOf(token, path) {
  if (!indexPattern.test(token)) throw new Error(`${path} does not end with an index`);
  return Number(token);
}
