"""``jdl serve`` as a process: as the README has it, from its first line to its last request."""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jdl import datasets, io
from jdl.cli import main
from jdl.data import infer_schema
from tests.io.conftest import untrained

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = datasets.adult()[0][:300]
    path = tmp_path_factory.mktemp("served") / "adult"
    io.save(untrained(infer_schema(train, "income"), train, "mlp"), path)
    return path


def readme_commands() -> list[list[str]]:
    """The commands of the page's section about serving, as words."""
    section = README.read_text().split("## From install to a served model in five minutes")[1]
    block = section.split("```sh\n")[1].split("```")[0]
    return [shlex.split(line) for line in re.split(r"\n(?! )", block.strip())]


def test_the_page_s_commands_until_it_is_told_to_end(folder: Path) -> None:
    _, (_, _, _, made, *_), (program, *serve, background), _, curl, end = readme_commands()
    assert (program, serve, background) == (".venv/bin/jdl", ["serve", made], "&")
    assert (curl[0], curl[1], end) == ("curl", "http://127.0.0.1:8000/predict", ["kill", "$!"])
    command = [sys.executable, "-m", "jdl.cli", *serve, "--port", "0"]
    quiet = {**os.environ, "JDL_CPU_DEVICES": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=quiet, cwd=folder.parent
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Model(mlp: classification of income")
        address, ending = process.stdout.readline().removeprefix("served at http://").split("; ")
        assert address.startswith("127.0.0.1:") and ending == "Ctrl-C ends it\n"
        body = curl[curl.index("-d") + 1].encode()
        client = http.client.HTTPConnection(address, timeout=30)
        client.putrequest("POST", "/predict")
        name, value = curl[curl.index("-H") + 1].split(": ")
        client.putheader(name, value)
        client.putheader("Content-Length", str(len(body)))
        client.endheaders(body[:10])
        other = http.client.HTTPConnection(address, timeout=30)  # answered, so the first has been begun
        other.request("GET", "/health")
        assert json.load(other.getresponse())["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        client.send(body[10:])  # a request that was begun is answered
        answer = client.getresponse()
        (row,) = json.load(answer)["rows"]
        assert answer.status == 200 and set(row) == {"prediction", "probability_<=50K", "probability_>50K"}
        assert process.wait(30) == 0


def test_an_address_that_is_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(folder), "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jdl: 127.0.0.1:{port}: Address already in use; choose another host or port")


def test_bad_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nowhere"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["serve", "nowhere", "--port", "70000"])
    assert "found '70000', needs a whole number from 0 to 65535" in capsys.readouterr().err


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name == "jdl.serve" or name.startswith("jdl.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["serve", "nowhere"]) == 2
    assert "needs starlette, which is not installed: pip install 'jdl[serve]'" in capsys.readouterr().err
