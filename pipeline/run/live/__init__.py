"""Live streams: supervised, replaced when they break, their books kept while they run."""
