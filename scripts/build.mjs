/** `npm run build`: compiles src/ into dist/, from nothing. */
import "./node-version.mjs";

const { compile, prepare, PrepareError } = await import("./prepare.mjs");

try {
  prepare({ build: false });
  compile();
} catch (error) {
  if (!(error instanceof PrepareError)) throw error;
  console.error(error.message);
  process.exit(1);
}
