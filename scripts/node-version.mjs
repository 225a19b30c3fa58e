/**
 * Ends the process with one clear line when Node is older than Truba needs. Imported first by every script, so it must
 * parse and run on old versions: no new syntax here.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    "Truba needs Node.js 20.19 or newer; this is " +
      process.versions.node +
      " (" +
      process.execPath +
      ").",
  );
  process.exit(1);
}
