/** Structured log lines of the process: one JSON object per line on standard error, by pino. */
import { pino } from "pino";
import type { DestinationStream } from "pino";
import type { Logger } from "../base/logger.ts";
import type { LogLevel } from "./options.ts";

/**
 * A logger that prints lines of `level` and above. A field `error` that holds an Error is written with its message, code,
 * stack and causes. Lines are written before the call returns, so that the last one before an end is not lost.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  const lines = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: "message",
      errorKey: "error",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.errWithCause },
    },
    destination,
  );
  return {
    debug: (fields, message) => lines.debug(fields, message),
    info: (fields, message) => lines.info(fields, message),
    warn: (fields, message) => lines.warn(fields, message),
    error: (fields, message) => lines.error(fields, message),
  };
}
