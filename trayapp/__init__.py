"""Beartray: drop a photo into a folder and it is filed by what it shows."""

import os

__version__ = "0.1.0"

# onnxruntime comes with Microsoft's telemetry switched on: at its import it makes an identifier of
# this machine and sends it off, before any call could forbid that (Privacy.md in its package). What
# it heeds is the environment; here it is set before anything of ours can import onnxruntime, and
# every process that we start inherits it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
