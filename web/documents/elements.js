/** Making and finding elements. Whatever comes from nodes goes in as text, never as markup. */

/**
 * The element of the page with this id. Throws when there is none.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function elementOf(id, kind) {
  const found = element(id);
  if (!(found instanceof kind)) throw new Error(`${id} is no ${kind.name}`);
  return found;
}

/**
 * A new element. Attributes that are `undefined` or false are left out; children that are strings become text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string | boolean | undefined>>} [attributes]
 * @param {readonly (Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/**
 * A new element of a drawing.
 * @param {string} tag
 * @param {Readonly<Record<string, string | boolean | undefined>>} [attributes]
 * @param {readonly (Node | string)[]} children
 */
export function draw(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/**
 * @param {Element} made
 * @param {Readonly<Record<string, string | boolean | undefined>>} attributes
 */
function setAttributes(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
}

/**
 * A button that does `action`.
 * @param {string} text
 * @param {(button: HTMLButtonElement) => void} action
 * @param {Readonly<Record<string, string | boolean | undefined>>} [attributes]
 */
export function button(text, action, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => action(made));
  return made;
}

/**
 * Sets the text of an element; a live region that says the same again would be read out again.
 * @param {Element} target
 * @param {string} text
 */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Copies the text and says on the button whether the browser let us.
 * @param {string} text
 * @param {HTMLButtonElement} from
 */
export async function copy(text, from) {
  const before = from.dataset["text"] ?? from.textContent ?? "";
  from.dataset["text"] = before;
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    from.textContent = "Not allowed";
  }
  setTimeout(() => {
    from.textContent = before;
  }, 1_500);
}
