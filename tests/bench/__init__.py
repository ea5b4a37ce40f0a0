"""How fast Beartray is on this machine: `python tasks.py bench [--quick] [--json]`."""
