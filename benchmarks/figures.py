"""What all benchmarks share: one `name value` line a figure, and the same as JSON."""
import argparse
import json
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
