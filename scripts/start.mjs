/**
 * `npm start`: makes the clone ready and serves. `npm start -- --listen 127.0.0.1:9000` passes options on.
 *
 * The server runs in this very process and not in a child, so signals, exit codes and kill -9 mean what they say.
 */
import "./node-version.mjs";

const { pathToFileURL } = await import("node:url");
const path = await import("node:path");
const { prepare, PrepareError, root } = await import("./prepare.mjs");

try {
  prepare();
} catch (error) {
  if (!(error instanceof PrepareError)) throw error;
  console.error(error.message);
  process.exit(1);
}

const main = path.join(root, "dist", "cli", "main.js");
process.setSourceMapsEnabled(true);
process.argv = [process.execPath, main, "serve", ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
