/** The options of the table as flags of the command line. */
import { Option as Flag } from "@commander-js/extra-typings";
import { suggestion } from "./configuration-problem.ts";
import type { Problem } from "./configuration-problem.ts";
import { environmentNameOf, keyOf, optionNames, options } from "./options.ts";
import type { OptionName } from "./options.ts";

/** A flag for commander per option. Defaults are told in the help only: they are the lowest source, not a flag. */
export function configurationFlags(): Flag[] {
  return optionNames.map((name) => {
    const { argument, default: standard, help, advanced } = options[name];
    const form = argument === undefined ? `--${keyOf(name)}` : `--${keyOf(name)} <${argument}>`;
    const shownDefault =
      standard === undefined || argument === undefined ? "" : `default ${standard}; `;
    const flag = new Flag(form, `${help} (${shownDefault}${environmentNameOf(name)})`);
    return advanced ? flag.helpGroup("Advanced options:") : flag;
  });
}

/**
 * What commander gives for the flags (`opts()`), as text by option. Names that are not of the table belong to others
 * (`--json`) and are passed over.
 */
export function flagTexts(given: Readonly<Record<string, unknown>>): Map<OptionName, string> {
  const texts = new Map<OptionName, string>();
  for (const name of optionNames) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) continue;
    // Anything but text and switches is no value of ours; as empty text it is refused.
    texts.set(name, typeof value === "string" || typeof value === "boolean" ? String(value) : "");
  }
  return texts;
}

/** A problem for each argument that commander could not place, so that they are told together with all others. */
export function unplacedProblems(unplaced: readonly string[]): Problem[] {
  const known = optionNames.map((name) => `--${keyOf(name)}`);
  const problems: Problem[] = [];
  let afterUnknown = false;
  for (const argument of unplaced) {
    const flag = argument.startsWith("-") && argument !== "-";
    const name = argument.replace(/=.*/s, "");
    if (flag) problems.push({ source: name, text: `is not an option${suggestion(name, known)}` });
    // What follows an unknown option is most likely its value.
    else if (!afterUnknown) problems.push({ source: argument, text: "is not expected here" });
    afterUnknown = flag && name === argument;
  }
  return problems;
}
