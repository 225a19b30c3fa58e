import { SimulationError } from "../node-state.ts";

/** A promise is broken; says of which partition, if it is one's. */
export class Violation extends SimulationError {
  readonly partition: number;

  constructor(partition: number, text: string, options?: ErrorOptions) {
    super(text, options);
    this.partition = partition;
  }
}
