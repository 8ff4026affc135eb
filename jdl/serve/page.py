"""The page about the service: made of its OpenAPI description, and asking for nothing from anywhere else."""

import json
from html import escape
from typing import Any

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0;
  border-bottom: 1px solid #8885; }
code, pre, textarea { font: .85rem/1.4 ui-monospace, monospace; }
textarea { width: 100%; box-sizing: border-box; } pre { overflow-x: auto; white-space: pre-wrap; }
"""

_SCRIPT = """
document.querySelector("button").addEventListener("click", async () => {
  const said = document.querySelector("#answer"), body = document.querySelector("textarea").value;
  const headers = {"Content-Type": "application/json"};
  try {
    const answer = await fetch("predict", {method: "POST", headers, body});
    said.textContent = answer.status + " " + JSON.stringify(await answer.json(), null, 1);
  } catch (error) { said.textContent = error; }
});
"""


def html(description: dict[str, Any]) -> str:
    """Write the page of a description: what can be asked, of which columns, and a form to try it."""
    info, schemas = description["info"], description["components"]["schemas"]
    predict = description["paths"]["/predict"]["post"]
    example = predict["requestBody"]["content"]["application/json"]["example"]
    title, body = escape(info["title"]), escape(json.dumps(example, indent=1, ensure_ascii=False))
    paths = [
        [f"<code>{method.upper()} {escape(path)}</code>", escape(about["summary"])]
        for path, methods in description["paths"].items()
        for method, about in methods.items()
    ]
    columns = [_described(name, part) for name, part in schemas["Row"]["properties"].items()]
    answers = [_described(name, part) for name, part in schemas["Prediction"]["properties"].items()]
    refusals = [
        [f"<code>{status}</code>", escape(about["description"])]
        for status, about in predict["responses"].items()
    ]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{_STYLE}</style>
<h1>{title}</h1>
<p>{escape(info["description"])}</p>
<p><a href="openapi.json">The OpenAPI description</a> · <a href="schema">the schema</a></p>
{_table("What can be asked", paths)}
<h2>Try it</h2>
<textarea rows="12" aria-label="the body of a request">{body}</textarea>
<p><button>POST /predict</button></p>
<pre id="answer" aria-live="polite"></pre>
<p>The body is <code>{{"rows": [{{column: value}}]}}</code>, <code>{{"columns": {{column: [value]}}}}</code>,
or an Arrow stream; the answer has the form of the request. {escape(predict["description"])}</p>
{_table("Columns of a row", columns)}
{_table("Columns of an answer", answers)}
{_table("Answers of /predict", refusals)}
<script>{_SCRIPT}</script>
</html>
"""


def _described(name: str, part: dict[str, Any]) -> list[str]:
    values = ", ".join(map(repr, part.get("enum", ())))
    about = part.get("description") or (f"one of {values}" if values else part["type"])
    return [f"<code>{escape(name)}</code>", escape(about)]


def _table(title: str, rows: list[list[str]]) -> str:
    lines = "\n".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows)
    return f"<h2>{title}</h2>\n<table>\n{lines}\n</table>"
