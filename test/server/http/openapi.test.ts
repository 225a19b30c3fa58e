import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { errorCodes } from "../../../src/base/errors.ts";
import type { OpenApiDocument } from "../../../src/server/http/openapi.ts";
import { HttpWorld } from "./http-world.ts";

suite("HTTP: /openapi.json and /api", () => {
  let world: HttpWorld;
  let document: OpenApiDocument;
  before(async () => {
    world = await HttpWorld.start();
    document = (await world.good({ method: "GET", path: "/openapi.json" })).json as OpenApiDocument;
  });
  after(() => world.stop());

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        path,
        method: method.toUpperCase(),
        operation,
      })),
    );

  test("is OpenAPI 3.1, as the schema of OpenAPI itself has it", async () => {
    const result = await new Validator().validate(structuredClone(document));
    assert.equal(result.valid, true, JSON.stringify(result.errors, undefined, 1));
    assert.equal(document.openapi, "3.1.0");
  });

  test("has every route of the table, and no other", () => {
    const listed = new Set(operations().map(({ method, path }) => `${method} ${path}`));
    const parts = ["/page.css", "/page.js", "/icon.svg", "/openapi.json", "/api"];
    const served = world.routes.filter(({ path }) => !parts.includes(path));
    assert.deepEqual(
      [...listed].sort(),
      served.map(({ method, path }) => `${method} ${path}`).sort(),
    );
    const ids = operations().map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
  });

  test("says of each what it takes and answers, with examples and problems", () => {
    for (const { method, path, operation } of operations()) {
      const where = `${method} ${path}`;
      const { parameters = [], requestBody, responses } = operation;
      const inPath = parameters.filter((each) => each.in === "path").map(({ name }) => name);
      assert.deepEqual(
        inPath.map((name) => `{${name}}`),
        path.match(/\{\w+\}/g) ?? [],
        where,
      );
      for (const each of parameters)
        assert.ok(each.description.length > 2, `${where} ${each.name}`);
      const json = requestBody?.content["application/json"];
      if (json !== undefined) assert.notEqual(json.example, undefined, where);
      const problems = Object.entries(responses).filter(([status]) => Number(status) >= 400);
      assert.ok(problems.length > 0, where);
      for (const [status, { content }] of problems) {
        const { examples = {} } = content?.["application/problem+json"] ?? {};
        for (const [code, { value }] of Object.entries(
          examples as Record<string, { value: { status: number; code: string } }>,
        )) {
          assert.ok(
            errorCodes.some((each) => each === code),
            `${where} ${code}`,
          );
          assert.deepEqual([value.status, value.code], [Number(status), code], where);
        }
      }
    }
  });

  test("examples of bodies are taken as they stand", async () => {
    for (const { method, path, operation } of operations()) {
      const example = operation.requestBody?.content["application/json"]?.example;
      if (example === undefined) continue;
      const filled = (operation.parameters ?? [])
        .filter((each) => each.in === "path")
        .reduce(
          (url, each) => url.replace(`{${each.name}}`, encodeURIComponent(String(each.example))),
          path,
        );
      const { json, status } = await world.ask({ method, path: filled, json: example });
      const code = (json as { code?: string } | undefined)?.code;
      assert.ok(
        status < 400 ||
          !["BADVALUE", "BADJSON", "BADKEY", "BADSESSION", "BADQUEUENAME"].includes(code ?? ""),
        `${method} ${path} refused its own example: ${JSON.stringify(json)}`,
      );
    }
  });

  test("examples of answers are what their schemas say", () => {
    for (const route of world.routes)
      for (const [status, { json }] of Object.entries(route.answers)) {
        if (json === undefined || document.paths[route.path] === undefined) continue;
        const operation = document.paths[route.path]?.[route.method.toLowerCase()];
        const example = operation?.responses[status]?.content?.["application/json"]?.example;
        const checked = json.safeParse(example);
        assert.ok(
          checked.success,
          `${route.method} ${route.path}: ${JSON.stringify(example)} ${String(checked.error)}`,
        );
      }
  });

  test("/api shows every operation and every error, escaped, without a script", async () => {
    const page = (await world.good({ method: "GET", path: "/api" })).bytes.toString();
    for (const { path, operation } of operations()) {
      assert.ok(page.includes(`<code>${path}</code>`), path);
      assert.ok(page.includes(`id="${operation.operationId}"`), operation.operationId);
    }
    for (const code of errorCodes) assert.ok(page.includes(`id="${code.toLowerCase()}"`), code);
    assert.doesNotMatch(page, /<script| on\w+="| style="/);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    for (const id of links) assert.ok(page.includes(`id="${id}"`), `#${id}`);
  });

  test("is answered from memory, and 304 to who has it", async () => {
    for (const path of ["/openapi.json", "/api", "/", "/page.css", "/page.js"]) {
      const { headers } = await world.good({ method: "GET", path });
      const known = { "if-none-match": String(headers["etag"]) };
      assert.equal(
        (await world.good({ method: "GET", path, headers: known }, 304)).bytes.length,
        0,
      );
    }
  });
});
