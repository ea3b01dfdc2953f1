"""The command line, thin over `metalm.operations`: `python -m metalm`. `--help` loads nothing heavy."""
