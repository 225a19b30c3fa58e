/**
 * Bodies of requests, read with a bound on each and on all together, and JSON out of them.
 *
 * A content type is JSON if it is exactly `application/json`, or that with `charset=utf-8`: whoever reads it more freely can be made to take for JSON what a page of
 * another origin may send without being asked. The same goes for JSON Patch.
 */
import type { IncomingMessage } from "node:http";
import { TrubaError, errorText } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { ServerContext } from "../server-context.ts";
import { Refusal } from "./problem.ts";
import type { RouteBody } from "./route.ts";

/** RFC 6902 §6. */
export const patchMediaType = "application/json-patch+json";

/** What PATCH takes is told where it was something else, and with the document (RFC 5789 §3.1). */
export const acceptPatch = { "accept-patch": patchMediaType } as const;

const mediaTypeForm = /^([\w.+-]+\/[\w.+-]+)(?: *; *charset=(?:utf-8|"utf-8"))? *$/i;

export function isJson(contentType: string | undefined): boolean {
  return isMediaType(contentType, "application/json");
}

function isMediaType(contentType: string | undefined, wanted: string): boolean {
  return mediaTypeForm.exec(contentType ?? "")?.[1]?.toLowerCase() === wanted;
}

/** Refuses a body by its headers, before any of it is read. Throws TrubaError BADCONTENTTYPE or TOOLARGE. */
export function checkBodyHeaders(request: IncomingMessage, route: RouteBody | undefined): void {
  if (!hasBody(request)) return;
  const {
    "content-type": type,
    "content-length": length = "0",
    "content-encoding": encoding,
  } = request.headers;
  if (encoding !== undefined && encoding !== "identity")
    throw new TrubaError(
      "BADCONTENTTYPE",
      `the body is encoded as ${JSON.stringify(encoding)}; it is taken as it is only`,
    );
  if (route === undefined) {
    // A body that nobody asked for is of no use, and is not read.
    return;
  }
  const wanted = route.raw === undefined ? "application/json" : route.mediaType;
  if (wanted !== undefined && !isMediaType(type, wanted))
    throw new Refusal(
      "BADCONTENTTYPE",
      `the content type is ${type === undefined ? "missing" : JSON.stringify(type)}; it must be ${wanted}`,
      wanted === patchMediaType ? { headers: acceptPatch } : {},
    );
  if (Number(length) > route.maxBytes) throw tooLarge(length, route.maxBytes);
}

/** Where bytes are taken under any content type, one that is none (RFC 9110 §8.3.1) is no reason for Fastify to refuse them. */
export function forgetMediaType({ headers }: IncomingMessage, route: RouteBody | undefined): void {
  if (route?.raw === undefined || route.json !== undefined || route.mediaType !== undefined) return;
  if (headers["content-type"] !== undefined) headers["content-type"] = "application/octet-stream";
}

/** Whether the message says that a body follows (RFC 9112 §6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/**
 * Reads a whole body. It counts as held until the answer is sent. Rejects with TrubaError TOOLARGE; OVERLOADED when all bodies and unfinished requests of the node
 * together are too large; ERR when the client went in the middle.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  context: ServerContext,
  onHeld: (bytes: number) => void,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const refuse = (error: TrubaError): void => {
      request.off("data", take);
      // What still comes is dropped until the connection is closed, which follows the answer.
      request.resume();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      context.heldBytes += chunk.length;
      onHeld(chunk.length);
      if (length > maxBytes) refuse(tooLarge(`more than ${maxBytes}`, maxBytes));
      else if (context.heldBytes > limits.requestsHeldMaxBytes)
        refuse(
          new TrubaError(
            "OVERLOADED",
            `requests hold ${context.heldBytes} bytes; the limit is ${limits.requestsHeldMaxBytes}`,
            { retryAfterMs: limits.overloadedRetryAfterMs },
          ),
        );
      else chunks.push(chunk);
    };
    request.on("data", take);
    request.once("end", () => resolve(Buffer.concat(chunks, length)));
    request.once("error", (error) => reject(new TrubaError("ERR", errorText(error))));
    request.once("close", () =>
      reject(new TrubaError("ERR", "the client went in the middle of the body")),
    );
  });
}

/** Throws TrubaError BADJSON. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TrubaError("BADJSON", `the body of ${bytes.length} bytes is not in UTF-8`);
  }
}

/** Throws TrubaError BADJSON. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = textOf(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new TrubaError(
      "BADJSON",
      `the body of ${bytes.length} bytes is not JSON: ${errorText(error)}`,
    );
  }
}

function tooLarge(length: string, maxBytes: number): TrubaError {
  return new Refusal("TOOLARGE", `the body is ${length} bytes; the limit is ${maxBytes}`);
}
