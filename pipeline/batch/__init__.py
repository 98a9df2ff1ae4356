"""Offline jobs over many videos: inputs, units of work, and a store that holds each result once."""
