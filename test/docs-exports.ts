/** What a module exports, where it is declared, and what of it has no docstring. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseSync } from "oxc-parser";
import type { Class, Comment, Program, TSInterfaceDeclaration } from "oxc-parser";

/** A name that a door exports, with the file that declares it. */
export interface Exported {
  readonly name: string;
  readonly file: string;
}

/** The exports of a door, which only re-exports. */
export function exportsOf(root: string, door: string): Exported[] {
  const { program } = parse(join(root, door));
  return program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration" || statement.source === null)
      throw new Error(`${door} has a ${statement.type}; a door only re-exports, by name`);
    const file = join(dirname(join(root, door)), statement.source.value);
    return statement.specifiers.map(({ exported, local }) => {
      if (
        exported.type !== "Identifier" ||
        local.type !== "Identifier" ||
        exported.name !== local.name
      )
        throw new Error(`${door} gives something another name than it has in ${file}`);
      return { name: exported.name, file };
    });
  });
}

/** `file: name` or `file: name.method` for all that a door exports and that has no docstring directly before it. */
export function undocumented(root: string, door: string): string[] {
  const silent: string[] = [];
  for (const { name, file } of exportsOf(root, door)) {
    const { program, text, docs } = parse(file);
    const where = `${relative(root, file)}: ${name}`;
    let found = false;
    for (const statement of program.body) {
      if (statement.type !== "ExportNamedDeclaration" || statement.declaration === null) continue;
      const { declaration } = statement;
      const names =
        declaration.type === "VariableDeclaration"
          ? declaration.declarations.map(({ id }) => (id.type === "Identifier" ? id.name : ""))
          : "id" in declaration && declaration.id?.type === "Identifier"
            ? [declaration.id.name]
            : [];
      if (!names.includes(name)) continue;
      // Overloads share the first one's.
      if (!found && !hasDoc(text, docs, statement.start)) silent.push(where);
      found = true;
      if (declaration.type === "ClassDeclaration" || declaration.type === "TSInterfaceDeclaration")
        silent.push(
          ...silentMembers(declaration, text, docs).map((member) => `${where}.${member}`),
        );
    }
    if (!found) silent.push(`${where} (not found)`);
  }
  return silent;
}

/** Methods without a docstring. Data may speak for itself by its name, and a constructor needs none where users do not construct. */
function silentMembers(
  { body }: Class | TSInterfaceDeclaration,
  text: string,
  docs: readonly Comment[],
): string[] {
  const silent: string[] = [];
  const seen = new Set<string>();
  for (const member of body.body) {
    const isMethod =
      member.type === "TSMethodSignature" ||
      (member.type === "MethodDefinition" && member.kind === "method");
    if (!isMethod || member.key.type !== "Identifier" || member.computed) continue;
    const { name } = member.key;
    // Overloads share the first one's.
    if (seen.has(name)) continue;
    seen.add(name);
    if (!hasDoc(text, docs, member.start)) silent.push(name);
  }
  return silent;
}

function hasDoc(text: string, docs: readonly Comment[], start: number): boolean {
  return docs.some(({ end }) => end <= start && text.slice(end, start).trim() === "");
}

function parse(file: string): { program: Program; text: string; docs: readonly Comment[] } {
  const text = readFileSync(file, "utf8");
  const { program, comments } = parseSync(file, text);
  const docs = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"));
  return { program, text, docs };
}
