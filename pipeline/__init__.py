"""Streaming video and audio analytics: sources, lanes, one exact timeline, evidence."""

__version__ = "0.1.0"
