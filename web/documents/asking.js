/** Asking the node: with the token of this tab if there is one, and with its problems as errors. */

const tokenKey = "truba-token";

/**
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} detail
 * @property {number} [operation]
 * @property {string} [op]
 * @property {string} [path]
 * @property {string} [reason]
 * @property {import("../../src/patch/json.ts").Json} [expected]
 * @property {import("../../src/patch/json.ts").Json} [actual]
 */

/** What the node refused, as it said it. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {Problem} problem
   */
  constructor(status, problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.status = status;
    this.problem = problem;
  }

  get code() {
    return this.problem.code;
  }

  /** Whether another token is needed. */
  get locked() {
    return this.status === 401 || this.code === "NOPERM";
  }
}

export function token() {
  return sessionStorage.getItem(tokenKey);
}

/** @param {string | undefined} value */
export function keepToken(value) {
  if (value === undefined) sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, value);
}

/**
 * @typedef {object} Question
 * @property {string} [method] GET unless said
 * @property {string} [body]
 * @property {string} [type] of the body
 * @property {string} [ifMatch]
 * @property {string} [accept]
 * @property {AbortSignal} [signal]
 */

/**
 * Asks, and throws {@link Refused} unless the answer is a success. Throws what `fetch` throws when the node is not reached.
 * @param {string} address
 * @param {Question} [question]
 */
export async function ask(address, question = {}) {
  const { method = "GET", body, type, ifMatch, accept = "application/json", signal } = question;
  const secret = token();
  /** @type {Record<string, string>} */
  const headers = { accept };
  if (secret !== null) {
    // Others cannot be sent in a header, so no node knows them.
    if (!/^[\x21-\x7e]+$/.test(secret))
      throw new Refused(401, { code: "WRONGPASS", detail: "tokens are ASCII without blanks" });
    headers["authorization"] = `Bearer ${secret}`;
  }
  if (type !== undefined) headers["content-type"] = type;
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  const answer = await fetch(address, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.ok) return answer;
  throw new Refused(answer.status, await problemOf(answer));
}

/**
 * @param {string} address
 * @param {Question} [question]
 * @returns {Promise<unknown>}
 */
export async function askJson(address, question) {
  const answer = await ask(address, question);
  return answer.json();
}

/**
 * @param {Response} answer
 * @returns {Promise<Problem>}
 */
async function problemOf(answer) {
  const text = await answer.text();
  try {
    const problem = /** @type {unknown} */ (JSON.parse(text));
    if (typeof problem === "object" && problem !== null && "code" in problem && "detail" in problem)
      return /** @type {Problem} */ (problem);
  } catch {
    // Not one of the node's own: of something that stands in between.
  }
  return { code: `HTTP ${answer.status}`, detail: text.slice(0, 500) || answer.statusText };
}

/**
 * Whether it is only that somebody no longer wants the answer.
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * In words for people.
 * @param {unknown} error
 */
export function errorText(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return "The node does not answer.";
  return error instanceof Error ? error.message : String(error);
}

/**
 * The address of a document, and of what belongs to it.
 * @param {string} name
 * @param {string} [rest]
 */
export function addressOf(name, rest = "") {
  return `/v1/documents/${encodeURIComponent(name)}${rest}`;
}
