"""How a job runs: in one process, or on Ray; the same spine either way."""
