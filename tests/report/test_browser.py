"""The report in a browser: no message on the console, nothing asked from outside, tables that sort."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from jdl.report import report
from tests.report.test_report import trained

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")

# Clicks every heading of every table twice, and says what the page came to.
LOOK = """
<script>
const wrong = [];
window.addEventListener("error", event => wrong.push(event.message));
window.addEventListener("load", () => {
  const columns = [], asked = performance.getEntriesByType("resource").map(entry => entry.name);
  document.querySelectorAll("th button").forEach(button => {
    const th = button.parentElement, rows = th.closest("table").tBodies[0].rows;
    const read = () => [...rows].map(row => row.cells[th.cellIndex].dataset.v);
    button.click();
    const down = read();
    button.click();
    columns.push({down, up: read(), said: th.getAttribute("aria-sort")});
  });
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const unnamed = [...document.querySelectorAll("svg")].filter(svg => !svg.getAttribute("aria-label")).length;
  document.body.innerHTML = "";
  document.body.textContent = "FOUND" + JSON.stringify({wrong, asked, columns, wide, unnamed}) + "END";
});
</script>
"""


@pytest.fixture(scope="module")
def page() -> str:
    rng = np.random.default_rng(0)
    x, kind = rng.normal(size=200), rng.choice(["<img src=http://example.org/a.png>", "plain"], 200)
    y = np.where(x > 0, "yes'\"><script>alert(1)</script>", "no")
    frame = pl.DataFrame({"</svg><script>throw 1</script>": x, "kind": kind, "y": y})
    return report(
        trained(frame), frame, {"a coin": np.full((200, 2), 0.5)}, "A <b>table</b>", "jdl fit a.csv"
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_has_nothing_to_complain_of(page: str, tmp_path: Path, width: int) -> None:
    policy = page[page.index('<meta http-equiv="Content-Security-Policy"') :].split("\n", 1)[0]
    file = tmp_path / "page.html"  # without the policy, which would keep from the test what it keeps out
    file.write_text(page.replace(policy, "").replace("<body>", "<body>" + LOOK, 1))
    own = (f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},800")
    done = subprocess.run(
        [str(BROWSER), *FLAGS, *own, file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "CONSOLE" not in done.stderr
    found = json.loads(done.stdout.split("FOUND", 1)[1].split("END", 1)[0].replace("&amp;", "&"))
    assert found["wrong"] == [] and found["asked"] == [] and found["wide"] <= 0 and found["unnamed"] == 0
    numeric = [
        column for column in found["columns"] if None not in column["down"] and len(column["down"]) > 1
    ]
    assert len(numeric) >= 5 and all(column["said"] == "ascending" for column in found["columns"])
    for column in numeric:
        up = [float(value) for value in column["up"]]
        assert up == sorted(up) and [float(value) for value in column["down"]] == sorted(up, reverse=True)
