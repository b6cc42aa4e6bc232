"""Records of runs that tests compare."""


def comparable(record):
    """A record without times and memory: equal for a continued run and an uninterrupted one."""
    steps = {name: step['state'] for name, step in record['steps'].items()}
    return dict(record, steps=steps)
