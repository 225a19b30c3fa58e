/** RabbitMQ by amqplib: a durable quorum queue of one replica, persistent messages, publisher confirms. */

import { type ChannelModel, type ConfirmChannel, connect } from "amqplib";

import {
  type Broker,
  IN_FLIGHT,
  PREFETCH,
  type Tasks,
  bulksInFlight,
  inFlight,
  payloadText,
} from "./broker.ts";

export class RabbitMqBroker implements Broker {
  readonly #connection: ChannelModel;
  readonly #channel: ConfirmChannel;

  private constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.#connection = connection;
    this.#channel = channel;
  }

  static async connect(port: number): Promise<RabbitMqBroker> {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
    return new RabbitMqBroker(connection, await connection.createConfirmChannel());
  }

  async make(queue: string): Promise<void> {
    await this.#channel.assertQueue(queue, {
      durable: true,
      arguments: { "x-queue-type": "quorum" },
    });
  }

  push(tasks: Tasks): Promise<number> {
    return inFlight(tasks.count, IN_FLIGHT, this.#publisher(tasks));
  }

  /** A bulk is nothing but publishing without waiting. */
  pushBulk(tasks: Tasks): Promise<number> {
    const one = this.#publisher(tasks);
    return bulksInFlight(tasks.count, (_from, size) =>
      Promise.all(Array.from({ length: size }, one)),
    );
  }

  async consume(queue: string, count: number): Promise<number> {
    const channel = await this.#connection.createChannel();
    await channel.prefetch(PREFETCH);
    const start = performance.now();
    await new Promise<void>((resolve, reject) => {
      let taken = 0;
      const consuming = channel.consume(queue, (message) => {
        if (message === null) {
          reject(new Error(`queue ${queue} was deleted`));
          return;
        }
        channel.ack(message);
        if (++taken === count) resolve();
      });
      consuming.catch(reject);
    });
    // An acknowledgement is not answered: what comes behind it on the channel is.
    await channel.checkQueue(queue);
    const ms = performance.now() - start;
    await channel.close();
    return ms;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #publisher({ queue, bytes }: Tasks): () => Promise<void> {
    const payload = Buffer.from(payloadText(bytes));
    const channel = this.#channel;
    return () =>
      new Promise((resolve, reject) => {
        channel.sendToQueue(queue, payload, { persistent: true }, (error: unknown) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      });
  }
}
