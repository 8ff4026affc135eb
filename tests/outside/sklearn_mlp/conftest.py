"""What runs in a process of its own, with this folder on its path, is not collected here."""

collect_ignore = ["expected_failures.py", "plugin.py"]
