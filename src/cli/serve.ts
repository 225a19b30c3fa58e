/**
 * `truba serve`: a node with its two ports, from configuration to exit code.
 *
 *     0   stopped by SIGTERM or SIGINT, everything durable
 *     1   could not start, or a stop took longer than it may
 *     2   configuration refused
 *     70  emergency stop: writes can no longer be made durable, or a bug was found
 */
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText, systemErrorCode } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { NodeFileSystem } from "../base/node-file-system.ts";
import type { Address } from "../base/network.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { NodeTls } from "../base/node-tls.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import type { Links } from "../documents/links/links.ts";
import { Node } from "../node/node.ts";
import { Access } from "../server/access.ts";
import { ClientPort } from "../server/client-port.ts";
import { commandTable } from "../server/command-table.ts";
import { CommandIndex } from "../server/command-index.ts";
import { HttpPort } from "../server/http/http-port.ts";
import { ServerContext } from "../server/server-context.ts";
import { addressText, isLoopback } from "./address.ts";
import { systemConfigurationFiles } from "./configuration-file.ts";
import { problemsText } from "./configuration-problem.ts";
import { badConfigurationExitCode, loadConfiguration } from "./configuration.ts";
import type { LoadedConfiguration } from "./configuration.ts";
import { documentLinks } from "./document-links.ts";
import { createLogger } from "./log.ts";
import type { Configuration } from "./options.ts";
import { processFacts } from "./process-facts.ts";
import { endOfCertificate } from "./tls-files.ts";

const startFailedExitCode = 1;
const emergencyExitCode = 70;

interface ServeArguments {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly unplaced: readonly string[];
  readonly version: string;
}

interface Running {
  readonly node: Node;
  readonly port: ClientPort;
  /** `undefined`: switched off. */
  readonly http: HttpPort | undefined;
  readonly links: Links;
  /** Writes can no longer be made durable: however the process ends, its exit code must say so. */
  failed: boolean;
}

export async function runServe({ flags, unplaced, version }: ServeArguments): Promise<void> {
  const loaded = loadConfiguration({
    flags,
    unplaced,
    environment: process.env,
    files: systemConfigurationFiles,
  });
  const { values, problems, sources } = loaded;
  if (values === undefined) {
    process.stderr.write(`${problemsText(problems)}\n`);
    process.exitCode = badConfigurationExitCode;
    return;
  }
  const logger = createLogger(values.logLevel);
  stopOnBugs(logger);
  // The clock's timers do not keep a process. While one of them is all that is waited for, in a stop for instance, this does: every way out
  // ends in an exit with its own code, none by running out of work with code 0.
  setInterval(() => {}, 2 ** 30);
  const environment: Environment = {
    clock: new SystemClock(),
    random: new SystemRandom(),
    files: new NodeFileSystem(),
    network: new NodeNetwork(),
    logger,
  };
  const chosen = <Name extends keyof Configuration>(name: Name): Configuration[Name] | undefined =>
    sources.get(name) === "default" ? undefined : values[name];
  try {
    const node = await Node.open(environment, {
      dataDirectory: values.data,
      partitions: chosen("partitions"),
      replicationFactor: chosen("replicationFactor"),
      clusterName: chosen("clusterName"),
      name: chosen("name"),
      walSegmentBytes: values.walSegmentBytes,
      kinds: loaded.sections.sessions,
      documents: { historyDays: loaded.sections.documents?.historyDays },
    });
    await serve({ node, environment, values, loaded, version });
  } catch (error) {
    const code = error instanceof TrubaError ? `${error.code}: ` : "";
    process.stderr.write(`truba: ${code}${errorText(error)}\n`);
    const badConfiguration = error instanceof TrubaError && error.code === "BADCONFIG";
    // What was begun and not ended, a log that was opened perhaps, must not keep the process.
    process.exit(badConfiguration ? badConfigurationExitCode : startFailedExitCode);
  }
}

async function serve(parts: {
  node: Node;
  environment: Environment;
  values: Configuration;
  loaded: LoadedConfiguration;
  version: string;
}): Promise<void> {
  const { node, environment, values, loaded, version } = parts;
  const { clock, logger, network } = environment;
  const { tls, sections, peerToken } = loaded;
  const advertised = { ...(values.advertise ?? values.listen) };
  const access = new Access(sections.tokens);
  const shared = { node, clock, logger, advertised, version, access };
  const context = new ServerContext({ ...shared, processFacts });
  const encryption = tls === undefined ? undefined : new NodeTls(tls);
  const port = new ClientPort(context, new CommandIndex(commandTable()), encryption);
  const origins = values.httpOrigins ?? [];
  const freeBytes = (): number => environment.files.freeBytesSync(values.data);
  const peers = values.documentPeers;
  const { links, upgrades } = documentLinks({ node, environment, peers, token: peerToken, tls });
  const http =
    values.http === "off"
      ? undefined
      : new HttpPort({ context, access, tls, origins, upgrades, freeBytes });
  warnOfExposure(logger, values, loaded);
  let address: Address;
  let httpAddress: Address | undefined;
  links.start();
  try {
    address = await port.listen(network, values.listen);
    if (advertised.port === 0) advertised.port = address.port;
    if (values.http !== "off") httpAddress = await http?.listen(values.http).catch(withHttpHint);
  } catch (error) {
    links.stop();
    await port.close();
    await node.stop();
    throw error;
  }
  const running: Running = { node, port, http, links, failed: false };
  node.onFatal((error) => {
    running.failed = true;
    process.stderr.write(`truba: emergency stop: ${errorText(error)}\n`);
    // What HTTP is about to answer are refusals; they are not worth waiting for.
    void port.stop().finally(() => process.exit(emergencyExitCode));
  });
  stopOnSignals(running, logger, values.shutdownSeconds * 1_000);
  const url =
    httpAddress === undefined
      ? undefined
      : `${tls === undefined ? "http" : "https"}://${addressText(httpAddress)}`;
  const addresses = url === undefined ? addressText(address) : `${addressText(address)}, ${url}`;
  process.stdout.write(`truba ${version} ready on ${addresses}, data in ${values.data}\n`);
  process.stdout.write(
    hints({ address, url, secret: access.required, encrypted: tls !== undefined }),
  );
}

/** Port 8080 is that of many programs. */
function withHttpHint(error: unknown): never {
  if (systemErrorCode(error) !== "EADDRINUSE") throw error;
  const text = `${errorText(error)}\nHTTP can be served elsewhere with --http HOST:PORT, or not at all with --http off`;
  throw new Error(text, { cause: error });
}

/** What to do with a node that runs: commands to paste into another terminal, and the page. */
function hints(parts: {
  address: Address;
  url: string | undefined;
  secret: boolean;
  encrypted: boolean;
}): string {
  const { address, url, secret, encrypted } = parts;
  const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
  const host = isLoopback(address.host) ? "" : ` -h ${address.host}`;
  const cli = `redis-cli${host} -p ${address.port}${encrypted ? " --tls" : ""}${secret ? " -a TOKEN" : ""}`;
  return [
    "Try, in another terminal:",
    `  ${cli} SET ${key} hello`,
    `  ${cli} QUEUE.PUSH default 'a task'`,
    `  npx truba repl -H ${address.host} -P ${address.port}`,
    `  npx truba status --address ${addressText(address)}`,
    ...(url === undefined ? [] : [`Look at it in a browser: ${url}/`]),
    "Stop it with Ctrl-C.",
    "",
  ].join("\n");
}

/** What is allowed and ought to be known. */
function warnOfExposure(
  logger: Logger,
  values: Configuration,
  { tls, sections }: LoadedConfiguration,
): void {
  const exposed = [values.listen, values.http]
    .filter((address) => address !== "off" && !isLoopback(address.host))
    .map((address) => (address === "off" ? address : addressText(address)));
  if (exposed.length > 0 && sections.tokens.length === 0) {
    logger.warn({ exposed }, "whoever reaches the node may read and write everything");
  } else if (exposed.length > 0 && tls === undefined) {
    logger.warn({ exposed }, "tokens and data cross the network in the clear: there is no TLS");
  }
  if (tls === undefined) return;
  const ends = endOfCertificate(tls.certificate);
  const daysLeft = Math.floor((ends.getTime() - Date.now()) / 86_400_000);
  if (daysLeft < 30) logger.warn({ ends, daysLeft }, "the certificate ends soon, or has ended");
}

/** Stop accepting, answer what is in hand, make it durable, exit 0; a second signal ends at once. */
function stopOnSignals(running: Running, logger: Logger, timeoutMs: number): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(startFailedExitCode);
    stopping = true;
    logger.info({ signal }, "stopping");
    setTimeout(() => {
      logger.error({ timeoutMs }, "the stop took too long");
      process.exit(startFailedExitCode);
    }, timeoutMs).unref();
    void stopInOrder(running, logger);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function stopInOrder(running: Running, logger: Logger): Promise<void> {
  const { node, port, http, links } = running;
  try {
    links.stop();
    await port.close();
    // HTTP too accepts no more from now on; its last answers are waited for beside the node's drain.
    await Promise.all([http?.close(), node.drain()]);
    await port.stop();
    await node.stop();
    logger.info({}, "stopped");
    process.exit(running.failed ? emergencyExitCode : 0);
  } catch (error) {
    logger.error({ error: errorText(error) }, "the stop failed");
    process.exit(emergencyExitCode);
  }
}

/** A process that has met a bug of its own must not acknowledge anything more. */
function stopOnBugs(logger: Logger): void {
  const stop = (error: unknown): void => {
    logger.error(
      { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      "bug: the node stops",
    );
    process.exit(emergencyExitCode);
  };
  process.on("uncaughtException", stop);
  process.on("unhandledRejection", stop);
}
