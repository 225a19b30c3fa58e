/** Files that are served from memory: the page, and the errors' page that problems point at. Read once, when the port is made. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Answer, HttpCall, Route } from "./route.ts";

/** `web/` and `docs/` stand beside `src/` in the repository and beside `dist/` in the package: both are three folders up from here. */
const root = new URL("../../../", import.meta.url);

const served = [
  {
    path: "/",
    file: "web/index.html",
    type: "text/html; charset=utf-8",
    summary: "The node's page",
  },
  {
    path: "/page.css",
    file: "web/page.css",
    type: "text/css; charset=utf-8",
    summary: "Its style",
  },
  {
    path: "/page.js",
    file: "web/page.js",
    type: "text/javascript; charset=utf-8",
    summary: "Its script",
  },
  {
    path: "/icon.svg",
    file: "web/icon.svg",
    type: "image/svg+xml",
    summary: "Its icon",
  },
  {
    path: "/docs/errors.md",
    file: "docs/errors.md",
    type: "text/markdown; charset=utf-8",
    summary: "All errors and what to do about them",
  },
] as const;

export function staticRoutes(): readonly Route[] {
  return served.map(({ path, file, type, summary }) =>
    staticRoute({ path, type, summary, bytes: readFileSync(new URL(file, root)) }),
  );
}

/** An address whose answer is always the same. */
export function staticRoute(parts: {
  readonly path: string;
  readonly type: string;
  readonly summary: string;
  readonly bytes: Buffer;
}): Route {
  const { path, type, summary, bytes } = parts;
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  const headers = { etag, "cache-control": "no-cache" };
  return {
    method: "GET",
    path,
    id: `get_${path.replaceAll(/\W+/g, "_")}`,
    group: "node",
    role: "public",
    summary,
    answers: {
      200: {
        description: summary,
        mediaType: type.replace(/;.*/, ""),
        headers: { ETag: "of its bytes" },
      },
      304: { description: "the bytes are those of If-None-Match" },
    },
    errors: [],
    handle: (call) =>
      isKnown(call, etag)
        ? { status: 304, headers, body: { kind: "none" } }
        : {
            status: 200,
            headers,
            body: { kind: "bytes", bytes, contentType: type } satisfies Answer["body"],
          },
  };
}

/** Whether the client has the answer with this ETag already. */
export function isKnown({ headers }: HttpCall, etag: string): boolean {
  const known = headers["if-none-match"];
  if (known === undefined) return false;
  return (
    known.trim() === "*" ||
    known.split(",").some((each) => each.trim().replace(/^W\//, "") === etag)
  );
}
