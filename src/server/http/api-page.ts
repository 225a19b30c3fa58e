/** The OpenAPI document as a page for people: what there is, how it is asked for, how it answers. Without any script. */
import { errorCodes, errorTable } from "../../base/errors.ts";
import { type OpenApiDocument, type OpenApiOperation } from "./openapi.ts";
import type { JsonSchema } from "./json-schema.ts";
import { type RouteGroup, groups } from "./route.ts";

export function apiPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );
  const sections = (Object.keys(groups) as RouteGroup[]).map((group) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(group));
    return `<section><h2 id="${group}">${text(capital(group))}</h2><p>${text(groups[group])}</p>${own.map(operationHtml).join("")}</section>`;
  });
  const links = [...Object.keys(groups), "errors"].map(
    (group) => `<a href="#${group}">${text(capital(group))}</a>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Truba: HTTP interface</title>
<link rel="icon" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
</head>
<body class="api">
<header class="top"><h1><a href="/">Truba</a> <small>HTTP interface</small></h1><nav aria-label="Sections">${links.join(" ")}</nav></header>
<main>
<p>Bytes are base64 text in JSON; times are milliseconds; whole numbers beyond ±(2<sup>53</sup> − 1) are decimal text. Errors are problems (RFC 9457) with a stable <code>code</code>.
The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
${sections.join("\n")}
<section><h2 id="errors">Errors</h2><div class="wide"><table><thead><tr><th>Code</th><th>Status</th><th>Retry</th><th>Meaning</th></tr></thead><tbody>${errorRows()}</tbody></table></div></section>
</main>
</body>
</html>
`;
}

function operationHtml({
  path,
  method,
  operation,
}: {
  path: string;
  method: string;
  operation: OpenApiOperation;
}): string {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const role = operation["x-role"];
  const parts = [
    description === undefined ? "" : `<p>${text(description)}</p>`,
    role === "public" ? "" : `<p class="quiet">Role: ${text(role)}</p>`,
    parameters.length === 0
      ? ""
      : fieldsHtml(
          "Parameters",
          parameters.map((each) => ({
            name: each.name,
            place: each.in,
            required: each.required,
            kind: kindOf(each.schema),
            description: each.description,
          })),
        ),
    requestBody === undefined ? "" : bodyHtml(requestBody.content),
    answersHtml(responses),
  ];
  return `<details id="${text(operation.operationId)}"><summary><b class="method ${method.toLowerCase()}">${method}</b> <code>${text(path)}</code> <span>${text(summary)}</span></summary>${parts.join("")}</details>`;
}

interface Field {
  readonly name: string;
  readonly place: string;
  readonly required: boolean;
  readonly kind: string;
  readonly description: string;
}

function fieldsHtml(title: string, fields: readonly Field[]): string {
  const rows = fields.map(
    ({ name, place, required, kind, description }) =>
      `<tr><th scope="row"><code>${text(name)}</code></th><td>${text(place)}${required ? ", required" : ""}</td><td>${text(kind)}</td><td>${text(description)}</td></tr>`,
  );
  return `<h3>${text(title)}</h3><div class="wide"><table><tbody>${rows.join("")}</tbody></table></div>`;
}

function bodyHtml(content: NonNullable<OpenApiOperation["requestBody"]>["content"]): string {
  return Object.entries(content)
    .map(([type, { schema, example }]) => {
      const { properties = {}, required = [], description } = schema as JsonSchema;
      const fields = Object.entries(properties).map(([name, field]) => ({
        name,
        place: "body",
        required: required.includes(name),
        kind: kindOf(field),
        description: field.description ?? "",
      }));
      const table = fields.length === 0 ? "" : fieldsHtml(`Body: ${type}`, fields);
      const other =
        fields.length > 0 ? "" : `<h3>Body: ${text(type)}</h3><p>${text(description ?? "")}</p>`;
      return `${table}${other}${example === undefined ? "" : json(example)}`;
    })
    .join("");
}

function answersHtml(responses: OpenApiOperation["responses"]): string {
  const entries = Object.entries(responses);
  const good = entries.filter(([status]) => Number(status) < 400);
  const bad = entries.filter(([status]) => Number(status) >= 400);
  const shown = good.map(([status, { description, content }]) => {
    const example = content?.["application/json"]?.example;
    return `<h3>${status}</h3><p>${text(description)}</p>${example === undefined ? "" : json(example)}`;
  });
  const codes = bad.flatMap(([status, { description }]) =>
    description
      .split(", ")
      .map((code) => `<a href="#${code.toLowerCase()}">${text(code)}</a> ${status}`),
  );
  return `${shown.join("")}<h3>Problems</h3><p class="codes">${codes.join("; ")}</p>`;
}

function errorRows(): string {
  return errorCodes
    .map((code) => {
      const { status, retryable, meaning } = errorTable[code];
      return `<tr id="${code.toLowerCase()}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${retryable ? "yes" : "no"}</td><td>${text(meaning)}</td></tr>`;
    })
    .join("");
}

/** A schema in a few words. */
function kindOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.enum !== undefined) return schema.enum.join(", ");
  if (schema.items !== undefined) return `list of ${kindOf(schema.items)}`;
  const { type = "anything", minimum, maximum, contentEncoding } = schema;
  if (contentEncoding !== undefined) return contentEncoding;
  if (type !== "integer" || maximum === undefined) return type;
  return maximum === Number.MAX_SAFE_INTEGER
    ? `integer from ${minimum ?? 0}`
    : `integer, ${minimum ?? 0} to ${maximum}`;
}

function json(value: unknown): string {
  return `<pre><code>${text(JSON.stringify(value, undefined, 2))}</code></pre>`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function text(raw: string): string {
  return raw.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? character);
}
