from helpers.tiny_run import data, quick_runs, scope_put_back  # noqa: F401
