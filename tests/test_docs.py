"""The pages: every block of Python runs, results shown are those it gives, and links lead somewhere."""

import ast
import doctest
import importlib
import inspect
import re
import typing
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^([ \t]*)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)[^)]*\)")
ORDER = (
    "cli", "serve", "estimators", "report", "io", "sweeps", "models", "train", "nn", "features", "datasets",
    "data", "optim", "metrics", "losses", "tree", "disk", "_devices",
)  # fmt: skip
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def run_blocks(text: str, page: str) -> int:
    """Run a page's blocks one after the other in one namespace, then its tests; give the blocks' number."""
    namespace: dict = {"__name__": "page"}
    blocks = list(BLOCK.finditer(text))
    for block in blocks:
        code, line = dedent(block[2]), text.count("\n", 0, block.start(2))
        if code.lstrip().startswith(">>>"):
            shown = doctest.DocTestParser().get_doctest(code, namespace, page, page, line)
            complaints: list[str] = []
            doctest.DocTestRunner(optionflags=FLAGS).run(shown, out=complaints.append, clear_globs=False)
            assert not complaints, "".join(complaints)
            namespace = shown.globs
        else:
            exec(compile("\n" * line + code, page, "exec"), namespace)
    for test in [value for name, value in namespace.items() if name.startswith("test_")]:
        test()
    return len(blocks)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    assert run_blocks(text, str(page)) == text.count("```python")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize(
    ("code", "error"), [(">>> 1 + 1\n  3", AssertionError), ("x = 1\n  x.missing", AttributeError)]
)
def test_a_wrong_block_is_found(code, error):
    with pytest.raises(error):
        run_blocks(f"# A page\n\n- in a list:\n\n  ```python\n  {code}\n  ```\n", "page")


def imported(path: Path) -> set[str]:
    """The parts of jdl that a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jdl":
            inside = node.module.split(".")[1:2]
            found |= set(inside or (alias.name for alias in node.names))
    return found


@pytest.mark.parametrize("part", ORDER)
def test_imports_point_the_way_the_page_says(part):
    files = [ROOT / "jdl" / f"{part}.py", *(ROOT / "jdl" / part).rglob("*.py")]
    allowed = set(ORDER[ORDER.index(part) :])
    wrong = {str(file.relative_to(ROOT)): imported(file) - allowed for file in files if file.exists()}
    assert wrong and not any(wrong.values()), wrong


def test_every_part_has_its_place():
    parts = {
        path.stem
        for path in (ROOT / "jdl").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("part", ["features", "nn", "losses", "metrics", "optim"])
def test_the_catalogue_names_everything_and_nothing_else(part):
    """Every public function of a part, once; types of states and annotations need not be there."""
    section = (ROOT / "docs" / "catalogue.md").read_text().split(f"`jdl.{part}`\n")[1].split("\n## ")[0]
    cells = [row.split("|")[2] for row in section.splitlines() if row.startswith("|")]
    named = re.findall(r"`(\w+)`", " ".join(cells))
    assert len(named) == len(set(named))
    module = importlib.import_module(f"jdl.{part}")
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    functions = {name for name, value in public.items() if callable(value) and not inspect.isclass(value)}
    aliases = {name for name in functions if typing.get_origin(public[name]) is not None}
    assert functions - aliases <= set(named) <= set(public)
