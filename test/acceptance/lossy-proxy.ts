/** Between a client and a node: passes everything on until told to lose the answer to one request, and the connection with it. */
import { connect as dial, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export class LossyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #word: string | undefined;
  /** Answers lost so far. */
  lost = 0;

  private constructor(port: number) {
    this.#server = createServer((client) => this.#pass(client, dial(port, "127.0.0.1")));
  }

  /** `address`: HOST:PORT of the node. */
  static async before(address: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(Number(address.split(":").at(-1)));
    await new Promise<void>((resolve) => void proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next request with this word reaches the node; its answer reaches nobody, and the connection breaks. */
  loseAnswerTo(word: string): void {
    this.#word = word;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => void this.#server.close(resolve));
  }

  #pass(client: Socket, node: Socket): void {
    let losing = false;
    const end = (): void => {
      for (const socket of [client, node]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of [client, node]) {
      this.#sockets.add(socket);
      socket.on("error", end).on("close", end);
    }
    client.on("data", (bytes) => {
      if (this.#word !== undefined && bytes.includes(this.#word)) {
        this.#word = undefined;
        losing = true;
      }
      node.write(bytes);
    });
    node.on("data", (bytes) => {
      if (!losing) {
        client.write(bytes);
        return;
      }
      // The node has done it.
      this.lost++;
      end();
    });
  }
}
