"""Shared by all benchmarks: prints one `name value` line per figure, and writes the figures as JSON."""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--out', help='write the figures to this JSON file as well')
    return parser


def report(figures, out):
    for name, value in figures.items():
        print(f'{name} {value:.4g}', flush=True)
    if out:
        Path(out).write_text(json.dumps(figures, indent=1) + '\n')


def measured(script, task, memory=False):
    """The last line that a script prints for ``--task``, in a fresh process of one thread.

    Args:
        script (str): a benchmark; its option --task takes JSON, and its last line is JSON.
        task (dict | list): of JSON's types.
        memory (bool): give freed memory back to the system at once, so that the
            process's peak counts memory in use alone. This is slow.
    """
    environment = dict(os.environ, OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
    if memory:
        environment.update(MALLOC_TRIM_THRESHOLD_='0', MALLOC_MMAP_THRESHOLD_='65536')
    result = subprocess.run([sys.executable, script, '--task', json.dumps(task)], env=environment, text=True,
                            capture_output=True)
    if result.returncode:
        reason = result.stderr[-3000:] or f'killed by signal {-result.returncode}; did the memory suffice?'
        raise SystemExit(f'{task}\n{reason}')
    values = json.loads(result.stdout.splitlines()[-1])
    print(f'# {task}: {values}', file=sys.stderr, flush=True)
    return values
