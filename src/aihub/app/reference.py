"""The API reference at /api/docs: one page without scripts, made from the OpenAPI description."""

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse

from aihub.kernel.http.middleware import page_policy

_STYLE = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881}
body{font:15px/1.55 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem;text-transform:capitalize}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0}
summary{padding:.6rem .9rem;cursor:pointer;display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
summary:focus-visible{outline:2px solid currentColor;outline-offset:2px}
.m{font:600 12px ui-monospace,monospace;min-width:4rem}
.p{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.t{opacity:.75;flex:1 1 16rem}.b{padding:.2rem .9rem .9rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
pre{background:var(--soft);padding:.7rem;border-radius:6px;overflow:auto}
pre{font:12.5px/1.5 ui-monospace,monospace}
"""


def router(app: FastAPI) -> APIRouter:
    """The route of the page; `app` is the application it describes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/api/docs")
    async def docs(request: Request) -> HTMLResponse:
        nonce = request.scope["state"]["csp_nonce"]
        return HTMLResponse(
            page(app.openapi(), nonce), headers={"Content-Security-Policy": page_policy(nonce)}
        )

    return routes


def page(description: dict[str, Any], nonce: str) -> str:
    """The description as HTML; every text in it is escaped."""
    groups: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append(_operation(path, method, operation, description))
    body = "".join(
        f"<section><h2>{escape(name)}</h2>{''.join(rows)}</section>" for name, rows in groups.items()
    )
    info = description["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(info["title"])} API</title><style nonce="{nonce}">{_STYLE}</style></head>'
        f"<body><h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        "<p>Send an API key as <code>Authorization: Bearer ahk_…</code>. Errors are problem details "
        "(RFC 9457) with a permanent <code>code</code> and a <code>remedy</code>. "
        'The machine-readable description is <a href="/api/openapi.json">openapi.json</a>.</p>'
        f"{body}</body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], description: dict[str, Any]) -> str:
    title = escape(operation.get("description", operation.get("summary", "")).split("\n")[0])
    parts = []
    if "security" in operation:
        permission = operation.get("x-permission")
        parts.append(
            f"<p>Needs {f'<code>{escape(permission)}</code>' if permission else 'a signed-in caller'}.</p>"
        )
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
            f"<td>{escape(_type(p.get('schema', {})))}</td>"
            f"<td>{'required' if p.get('required') else ''}</td></tr>"
            for p in parameters
        )
        parts.append(f"<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>{rows}</table>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, {escape(kind)}:</p>{_schema(content.get('schema', {}), description)}")
    for status, answer in operation.get("responses", {}).items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            parts.append(f"<p>Answer {escape(status)}:</p>{_schema(schema, description)}")
    return (
        f'<details><summary><span class="m">{method.upper()}</span><span class="p">{escape(path)}</span>'
        f'<span class="t">{title}</span></summary><div class="b">{"".join(parts)}</div></details>'
    )


def _schema(schema: dict[str, Any], description: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    target = description.get("components", {}).get("schemas", {}).get(name, schema)
    needed = set(target.get("required", ()))
    lines = [
        f"{key}{'' if key in needed else '?'}: {_type(value)}"
        for key, value in target.get("properties", {}).items()
    ]
    return f"<pre>{escape(chr(10).join(lines) or _type(schema))}</pre>"


def _type(schema: dict[str, Any]) -> str:
    if ref := schema.get("$ref"):
        return str(ref).rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(s) for s in schema[key]))
    if "enum" in schema:
        return " | ".join(repr(v) for v in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))
