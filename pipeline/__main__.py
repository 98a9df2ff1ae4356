"""`python -m pipeline` is `witness`."""

from pipeline.cli import main

main()
