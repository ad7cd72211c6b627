"""The commands of `scanward`, one file each; `agent/cli.py` lists them."""
