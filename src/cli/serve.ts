/**
 * `truba serve`: a node with its client port, from configuration to exit code.
 *
 *     0   stopped by SIGTERM or SIGINT, everything durable
 *     1   could not start, or a stop took longer than it may
 *     2   configuration refused
 *     70  emergency stop: writes can no longer be made durable, or a bug was found
 */
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { NodeFileSystem } from "../base/node-file-system.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import { Node } from "../node/node.ts";
import { ClientPort } from "../server/client-port.ts";
import { commandTable } from "../server/command-table.ts";
import { CommandIndex } from "../server/command-index.ts";
import { ServerContext } from "../server/server-context.ts";
import { addressText } from "./address.ts";
import { systemConfigurationFiles } from "./configuration-file.ts";
import { problemsText } from "./configuration-problem.ts";
import { badConfigurationExitCode, loadConfiguration } from "./configuration.ts";
import { createLogger } from "./log.ts";
import type { Configuration } from "./options.ts";
import { processFacts } from "./process-facts.ts";

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
  /** Writes can no longer be made durable: however the process ends, its exit code must say so. */
  failed: boolean;
}

export async function runServe({ flags, unplaced, version }: ServeArguments): Promise<void> {
  const { values, problems, sources } = loadConfiguration({
    flags,
    unplaced,
    environment: process.env,
    files: systemConfigurationFiles,
  });
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
    });
    await serve({ node, environment, values, version });
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
  version: string;
}): Promise<void> {
  const { node, environment, values, version } = parts;
  const { clock, logger, network } = environment;
  const advertised = { ...(values.advertise ?? values.listen) };
  const context = new ServerContext({ node, clock, logger, advertised, version, processFacts });
  const port = new ClientPort(context, new CommandIndex(commandTable()));
  let address;
  try {
    address = await port.listen(network, values.listen);
  } catch (error) {
    await node.stop();
    throw error;
  }
  if (advertised.port === 0) advertised.port = address.port;
  const running: Running = { node, port, failed: false };
  node.onFatal((error) => {
    running.failed = true;
    process.stderr.write(`truba: emergency stop: ${errorText(error)}\n`);
    void port.stop().finally(() => process.exit(emergencyExitCode));
  });
  stopOnSignals(running, logger, values.shutdownSeconds * 1_000);
  process.stdout.write(
    `truba ${version} ready on ${addressText(address)}, data in ${values.data}\n`,
  );
  process.stdout.write(hints(addressText(address), address.port));
}

function hints(address: string, port: number): string {
  const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
  return [
    "Try, in another terminal:",
    `  redis-cli -p ${port} SET ${key} hello`,
    `  printf 'GET ${key}\\n' | nc -N 127.0.0.1 ${port}`,
    `  npx truba status --address ${address}`,
    "Stop it with Ctrl-C.",
    "",
  ].join("\n");
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
  const { node, port } = running;
  try {
    await port.close();
    await node.drain();
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
