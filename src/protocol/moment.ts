/** Moments in the life of a document, as text: `17` is behind so many transactions of its order, `2026-01-31T12:00:00Z` a time. */
import { TrubaError } from "../base/errors.ts";

/** Behind so many transactions of the order, or behind all whose stamp is at most this wall time, ms. */
export type Moment = { readonly position: number } | { readonly timeMs: number };

const position = /^\d{1,15}$/;

/** RFC 3339, of which the time may be left out. In queries `+` is a blank, where it was not escaped. */
const time =
  /^(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:[Zz]|([+ -]\d\d:\d\d)))?$/;

/** Throws TrubaError BADVALUE. */
export function momentOf(at: string): Moment {
  if (position.test(at)) return { position: Number(at) };
  const [, day = "", within = "00:00", offset = "Z"] = time.exec(at) ?? [];
  const timeMs = Date.parse(`${day}T${within}${offset.replace(" ", "+")}`);
  if (day !== "" && !Number.isNaN(timeMs)) return { timeMs };
  throw new TrubaError(
    "BADVALUE",
    `at is ${JSON.stringify(at.slice(0, 100))}; it must be a number of transactions or a time as 2026-01-31T12:00:00Z`,
  );
}
