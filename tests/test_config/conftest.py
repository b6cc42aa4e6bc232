from helpers.tiny_run import data, quick_runs  # noqa: F401
