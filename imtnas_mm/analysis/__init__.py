"""Reads, counts and draws architectures and their derived networks."""
