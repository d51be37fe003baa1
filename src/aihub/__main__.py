"""`python -m aihub` is the `aihub` command."""

from aihub.cli.main import main

main()
