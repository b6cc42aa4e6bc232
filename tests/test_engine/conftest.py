from tiny_run import data, plain_config_text, scope_put_back  # noqa: F401
