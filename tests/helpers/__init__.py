"""Helpers of several test files: tiny data, runs, searches and networks, oracles, and stand-ins of devices."""
