"""What runs in a process of its own, with this folder on its path, is not collected here."""

collect_ignore = ["adapters.py", "plugin.py", "programs.py"]
