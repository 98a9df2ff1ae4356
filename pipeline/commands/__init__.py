"""What each verb of the command line does; each returns an exit code."""
