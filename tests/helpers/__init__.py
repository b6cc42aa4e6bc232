"""What several test files use: tiny data, runs, searches and networks, oracles, and stand-ins of devices."""
