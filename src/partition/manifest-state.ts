/** What a manifest says of the state beside its tables. */
import { TrubaError } from "../base/errors.ts";

/** Whole numbers, all of them there since the first version. */
const counts = [
  "position",
  "number",
  "timestamp",
  "horizon",
  "digest",
  "notedNumber",
  "notedDigest",
] as const;

export interface ManifestState extends Readonly<Record<(typeof counts)[number], number>> {
  /** Of the entry at `position`; of the log when the checkpoint was taken, where there is no token. */
  readonly term: number;
  /** The log engine's own (configuration among others), in hex. Empty when a version without it has written the manifest. */
  readonly token: string;
  /** 1 = installed from a peer: the log of this node may not reach so far yet, or hold something else. */
  readonly installed: 0 | 1;
}

/** What stands in a manifest, read. Throws TrubaError DATADAMAGED when it makes no sense. */
export function readManifestState(
  state: Readonly<Record<string, unknown>>,
  partition: number,
): ManifestState {
  const found = new Map<string, unknown>(Object.entries(state));
  const damaged = (field: string, wanted: string): TrubaError =>
    new TrubaError(
      "DATADAMAGED",
      `the manifest of partition ${partition} has ${field} = ${JSON.stringify(found.get(field))}, not ${wanted}`,
    );
  const count = (field: string): number => {
    const value = found.get(field);
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    throw damaged(field, "a whole number");
  };
  const token = found.get("token") ?? "";
  if (typeof token !== "string" || !/^([0-9a-f]{2})*$/.test(token)) throw damaged("token", "hex");
  const installed = found.get("installed") ?? 0;
  if (installed !== 0 && installed !== 1) throw damaged("installed", "0 or 1");
  const [position, number, timestamp, horizon, digest, notedNumber, notedDigest] = counts.map(
    count,
  ) as [number, number, number, number, number, number, number];
  return {
    position,
    term: count("term"),
    number,
    timestamp,
    horizon,
    digest,
    notedNumber,
    notedDigest,
    token,
    installed,
  };
}
