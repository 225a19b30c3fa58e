/** The documents on the hosts of a run, and which disks they were on: what only a disk that is gone has known is gone with it. */
import type { DocumentExchange } from "../../src/documents/exchange.ts";
import type { DocumentService } from "../../src/documents/vocabulary.ts";
import { must } from "../../src/base/assert.ts";
import type { Host } from "./host.ts";

export class DocumentNodes {
  readonly hosts: readonly Host[];

  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }

  on(host: number): (DocumentService & DocumentExchange) | undefined {
    return must(this.hosts[host]).node?.documents;
  }

  get up(): readonly number[] {
    return this.hosts.filter(({ node }) => node !== undefined).map(({ number }) => number);
  }

  /**
   * What was written to a disk may be gone if the host shows another number later: the disk was replaced, or a start has found it damaged. What is behind damage in the journal
   * is gone with it, also when it was written after the damage was done.
   */
  disk(host: number): string {
    const { disks, rotsAtStart } = must(this.hosts[host]);
    return `${disks}.${rotsAtStart}`;
  }
}
