/** Files that are served from memory: the page, and the errors' page that problems point at. Read once, when the port is made. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { must } from "../../base/assert.ts";
import { TrubaError } from "../../base/errors.ts";
import { documentName } from "./document-schemas.ts";
import type { Answer, HttpCall, Route } from "./route.ts";
import { text } from "./wire-fields.ts";

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
    path: "/documents",
    file: "web/documents/documents.html",
    type: "text/html; charset=utf-8",
    summary: "The documents' page",
  },
  {
    path: "/docs/errors.md",
    file: "docs/errors.md",
    type: "text/markdown; charset=utf-8",
    summary: "All errors and what to do about them",
  },
] as const;

const documentPages = new URL("web/documents/", root);

const mediaTypes: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

export function staticRoutes(): readonly Route[] {
  return [
    ...served.map(({ path, file, type, summary }) =>
      staticRoute({ path, type, summary, bytes: readFileSync(new URL(file, root)) }),
    ),
    testPage("/test"),
    { ...testPage("/d/{name}/test"), parameters: { name: documentName } },
    documentFiles(),
  ];
}

/** It finds the document that it speaks of beside itself. */
function testPage(path: string): Route {
  const route = staticRoute({
    path,
    type: "text/html; charset=utf-8",
    summary: "The test page of the exercise",
    bytes: readFileSync(new URL("test.html", documentPages)),
  });
  return { ...route, group: "exercise" };
}

/** Styles and scripts of the documents' pages: many small files at one address. */
function documentFiles(): Route {
  const path = "/documents/{file}";
  const summary = "Styles and scripts of the documents' pages";
  const routes = new Map(
    readdirSync(documentPages).flatMap((name) => {
      const type = mediaTypes[name.slice(name.lastIndexOf(".") + 1)];
      if (type === undefined) return [];
      const bytes = readFileSync(new URL(name, documentPages));
      return [[name, staticRoute({ path, type, summary, bytes })]];
    }),
  );
  return {
    ...staticRoute({ path, type: "text/javascript", summary, bytes: Buffer.alloc(0) }),
    parameters: { file: text({ description: "name of the file", example: "page.js" }) },
    errors: ["NOROUTE"],
    handle: (call) => {
      const name = must(call.parameters["file"]);
      const route = routes.get(name);
      if (route === undefined)
        throw new TrubaError("NOROUTE", `there is no file ${JSON.stringify(name.slice(0, 200))}`);
      return route.handle(call);
    },
  };
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
