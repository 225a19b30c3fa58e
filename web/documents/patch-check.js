/** What is wrong with a JSON Patch that somebody is writing, before the node is asked: by place in the text and by operation (RFC 6902 §3, §4). */

/**
 * @typedef {import("./patching.js").Operation} Operation
 * @typedef {{ text: string, operation?: number, from: number, to: number }} Mistake `from` and `to`: where in the text
 * @typedef {{ operations: Operation[], ranges: Range[], mistakes: readonly Mistake[] }} Checked
 * @typedef {{ from: number, to: number }} Range
 */

const takesValue = new Set(["add", "replace", "test"]);
const takesFrom = new Set(["move", "copy"]);
const pointerPattern = /^(?:\/(?:[^~/]|~[01])*)*$/;

/**
 * @param {string} text
 * @returns {Checked}
 */
export function checkPatch(text) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { operations: [], ranges: [], mistakes: [syntaxMistake(text, error)] };
  }
  if (!Array.isArray(value))
    return {
      operations: [],
      ranges: [],
      mistakes: [
        { text: "A JSON Patch is a list of operations: [ … ].", from: 0, to: text.length },
      ],
    };
  const ranges = elementRanges(text);
  /** @type {Mistake[]} */
  const mistakes = [];
  value.forEach((operation, i) => {
    const range = ranges[i] ?? { from: 0, to: text.length };
    for (const each of operationMistakes(operation))
      mistakes.push({ text: `Operation ${i}: ${each}`, operation: i, ...range });
  });
  return { operations: /** @type {Operation[]} */ (value), ranges, mistakes };
}

/**
 * @param {unknown} operation
 * @returns {string[]}
 */
function operationMistakes(operation) {
  if (typeof operation !== "object" || operation === null || Array.isArray(operation))
    return ["it must be an object."];
  const { op, path, from } = /** @type {Record<string, unknown>} */ (operation);
  /** @type {string[]} */
  const found = [];
  const known = ["add", "remove", "replace", "move", "copy", "test"];
  if (op === undefined) found.push(`"op" is missing.`);
  else if (typeof op !== "string" || !known.includes(op))
    found.push(`"op" is ${JSON.stringify(op)}; it must be one of ${known.join(", ")}.`);
  found.push(...pointerMistakes("path", path));
  if (typeof op !== "string") return found;
  if (takesFrom.has(op)) found.push(...pointerMistakes("from", from));
  if (takesValue.has(op) && !Object.hasOwn(operation, "value"))
    found.push(`"value" is missing; ${op} needs one, null is one.`);
  if (op === "move" && typeof from === "string" && String(path).startsWith(`${from}/`))
    found.push("a value cannot be moved into itself.");
  if (Object.hasOwn(operation, "~")) found.push(`"~" is Truba's own member.`);
  return found;
}

/**
 * @param {string} name
 * @param {unknown} pointer
 */
function pointerMistakes(name, pointer) {
  if (pointer === undefined) return [`"${name}" is missing.`];
  if (typeof pointer !== "string") return [`"${name}" must be text.`];
  if (pointer !== "" && !pointer.startsWith("/"))
    return [`"${name}" is ${JSON.stringify(pointer)}; a JSON Pointer is empty or begins with /.`];
  if (!pointerPattern.test(pointer))
    return [`"${name}" has a ~ that is neither ~0 (for ~) nor ~1 (for /).`];
  return [];
}

/**
 * @param {string} text
 * @param {unknown} error
 * @returns {Mistake}
 */
function syntaxMistake(text, error) {
  if (text.trim() === "")
    return { text: "Write a JSON Patch, or begin with an example.", from: 0, to: 0 };
  const message = error instanceof Error ? error.message : String(error);
  const what = message.replace(
    /,? ?(?:"[^]*" )?(?:in JSON )?(?:at position [^]*|is not valid JSON)$/,
    "",
  );
  // Engines do not always say where.
  const told = /position (\d+)/.exec(message)?.[1];
  if (told === undefined && !message.includes("end of"))
    return { text: `Not JSON: ${what}.`, from: 0, to: text.length };
  const at = told === undefined ? text.length : Number(told);
  const before = text.slice(0, at).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  return {
    text: `Not JSON at line ${before.length}, column ${column}: ${what}.`,
    from: at,
    to: at + 1,
  };
}

/**
 * Where the elements of a list stand in its text, which is JSON.
 * @param {string} text
 * @returns {Range[]}
 */
export function elementRanges(text) {
  /** @type {Range[]} */
  const ranges = [];
  let depth = 0;
  let from = -1;
  let last = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (/\s/.test(character)) continue;
    if (character === "]" || character === "}") depth--;
    if ((character === "," && depth === 1) || depth === 0) {
      if (from >= 0) ranges.push({ from, to: last });
      from = -1;
      if (character !== "[") continue;
    } else if (depth === 1 && from < 0) from = i;
    if (character === "[" || character === "{") depth++;
    if (character === '"') i = endOfString(text, i);
    last = i + 1;
  }
  return ranges;
}

/**
 * @param {string} text
 * @param {number} start of the quotation mark
 */
function endOfString(text, start) {
  let i = start + 1;
  while (i < text.length && text.charAt(i) !== '"') i += text.charAt(i) === "\\" ? 2 : 1;
  return i;
}
