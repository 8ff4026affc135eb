"""``jdl completion``: the scripts, as the shells read them."""

import shutil
import subprocess
import sys

import pytest

from jdl.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_script_names_commands_and_networks(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("predict", "--time-budget", "realmlp", "regression"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
def test_bash_takes_the_script(capsys):
    main(["completion", "bash"])
    ask = "\nCOMP_WORDS=(jdl fit --mo); COMP_CWORD=2; _shtab_jdl jdl; printf '%s\\n' \"${COMPREPLY[@]}\""
    script = capsys.readouterr().out + ask
    found = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert "--model" in found.stdout.split()


def test_without_shtab_it_is_said_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'jdl[completion]'" in capsys.readouterr().err
