from tiny_run import quick_runs, scope_put_back  # noqa: F401
