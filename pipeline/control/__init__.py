"""Lists and changes streams while they run: an HTTP interface, and who asks it."""
