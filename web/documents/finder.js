/** The field above the tree: Enter goes to the next match, and round again. */
import { element, elementOf, say } from "./elements.js";
import { find } from "./find.js";
import { countText } from "./words.js";

/** @typedef {import("../../src/patch/json.ts").Json} Json */

/** @param {{ value: () => Json, chosen: () => string, reveal: (pointer: string) => void }} parts */
export function offerFinding({ value, chosen, reveal }) {
  const field = elementOf("find", HTMLInputElement);
  field.addEventListener("input", () => say(element("find-text"), ""));
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || field.value === "") return;
    event.preventDefault();
    const { pointer, count, place } = find(value(), field.value, chosen());
    say(
      element("find-text"),
      pointer === undefined ? "nothing" : `${countText(place)} of ${countText(count)}`,
    );
    if (pointer !== undefined) reveal(pointer);
  });
}
