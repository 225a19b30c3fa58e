/**
 * An own RabbitMQ below a folder of the benchmark: its own data, ports, plugins (none) and cookie, and its own mapper of Erlang's names to ports, so that it
 * neither meets a RabbitMQ of the machine nor leaves anything running.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** As Debian installs it; the one on the PATH would change the user and the folder. */
export const RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server";

export class RabbitMq {
  /** Command of the mapper, which must run before the first RabbitMQ starts. */
  readonly portMapper: { readonly file: string; readonly args: readonly string[] };
  /** Environment of all processes. */
  readonly shared: NodeJS.ProcessEnv;
  readonly #directory: string;
  readonly #distributionPort: number;

  constructor(directory: string, ports: { mapper: number; distribution: number }) {
    this.#directory = directory;
    this.#distributionPort = ports.distribution;
    const args = ["-port", String(ports.mapper), "-address", "127.0.0.1"];
    this.portMapper = { file: "epmd", args };
    this.shared = {
      PATH: process.env["PATH"],
      LANG: "C.UTF-8",
      // The cookie is kept here.
      HOME: directory,
      ERL_EPMD_ADDRESS: "127.0.0.1",
      ERL_EPMD_PORT: String(ports.mapper),
    };
  }

  /** Environment of the server with this folder and this port for clients. One at a time: they would have one name. */
  environment(data: string, port: number): NodeJS.ProcessEnv {
    const configuration = join(this.#directory, "rabbitmq.conf");
    const plugins = join(this.#directory, "rabbitmq-plugins");
    writeFileSync(configuration, `listeners.tcp.1 = 127.0.0.1:${port}\n`);
    writeFileSync(plugins, "[].\n");
    return {
      ...this.shared,
      // The script becomes the server, instead of being its parent.
      RUNNING_UNDER_SYSTEMD: "1",
      RABBITMQ_NODENAME: "truba-bench@localhost",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(this.#distributionPort),
      RABBITMQ_MNESIA_BASE: data,
      RABBITMQ_LOGS: "-",
      RABBITMQ_CONFIG_FILE: configuration,
      RABBITMQ_CONF_ENV_FILE: join(this.#directory, "rabbitmq-env.conf"),
      RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    };
  }
}
