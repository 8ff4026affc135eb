"""Settings of every test run: four emulated devices, and the same examples each time."""

import os

# Read when jdl is imported; more devices than cores, so that sharding is exercised on any machine.
os.environ["JDL_CPU_DEVICES"] = "4"

from hypothesis import settings  # noqa: E402

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("repeatable")
