"""Reads and changes configs before anything is built."""
