/**
 * The declarations that the package ships: those that its doors reach, and no others. The compiler leaves the sources' `.ts` in their imports, which only the newest
 * compilers of users can follow; `.js` all can.
 */
import fs from "node:fs";
import path from "node:path";

const doors = ["index.d.ts", "browser.d.ts"];
const specifier = /((?:from |import\()")(\.{1,2}\/[^"\n]*)\.ts(?=")/g;

/**
 * Rewrites the declarations below a folder that the compiler has written, and removes those that no door reaches.
 * @param {string} folder
 */
export function finishDeclarations(folder) {
  /** @type {Set<string>} */
  const reached = new Set();
  const open = doors.map((door) => path.join(folder, door));
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    const text = fs.readFileSync(file, "utf8");
    for (const [, , target] of text.matchAll(specifier))
      open.push(path.join(path.dirname(file), `${target}.d.ts`));
    fs.writeFileSync(file, text.replaceAll(specifier, "$1$2.js"));
  }
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = path.join(folder, name);
    if (name.endsWith(".d.ts") && !reached.has(file)) fs.rmSync(file);
  }
}
