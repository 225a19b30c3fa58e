/** JSON Patch by somebody else's code, to follow what streams tell. */
import { createRequire } from "node:module";

interface FastJsonPatch {
  applyPatch(
    document: unknown,
    operations: readonly unknown[],
    validate: boolean,
  ): { readonly newDocument: unknown };
}

// Its sources lie beside its modules, and are found first where TypeScript is run.
const library = createRequire(import.meta.url)("fast-json-patch/commonjs/core.js") as FastJsonPatch;

/** The document behind the patch, which must not fail. */
export function patched(document: unknown, operations: readonly unknown[]): unknown {
  return library.applyPatch(document, operations, true).newDocument;
}
