"""Streaming video and audio analytics: sources, lanes, one exact timeline, evidence."""
