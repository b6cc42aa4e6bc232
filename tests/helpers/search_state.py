"""The state from which a search resumes, and the differences of two such states."""
import json
from pathlib import Path

import numpy as np
import torch

from . import tiny_run as tiny


def differences(first, second, place=''):
    """Where two nested structures of a checkpoint differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return [f'{place}: {first.keys() ^ second.keys()}']
        return [d for key in first for d in differences(first[key], second[key], f'{place}/{key}')]
    if isinstance(first, (list, tuple)) and type(first) is type(second) and len(first) == len(second):
        return [d for i, pair in enumerate(zip(first, second, strict=True)) for d in differences(*pair, f'{place}/{i}')]
    if isinstance(first, (torch.Tensor, np.ndarray)):
        same = type(first) is type(second) and first.shape == second.shape and bool(
            ((first == second) | ((first != first) & (second != second))).all())  # NaN where nothing is known yet
    else:
        same = first == second
    return [] if same else [place]


def state(path):
    """The parts of a checkpoint from which a search resumes."""
    saved = tiny.checkpoint(path)
    assert saved['optimizer']['encoder']['state'] and saved['optimizer']['architecture']['state']
    return dict({key: saved[key] for key in ('state_dict', 'optimizer', 'param_schedulers')},
                position=(saved['meta']['epoch'], saved['meta']['iter']))


def losses(work_dir):
    """The logged figures but for times, by iteration, over all runs in a work dir: a list of what each run logged."""
    logged = {}
    for file in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for text in file.read_text().splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:  # the last line of a run that was killed
                continue
            if 'iter' in line and 'epoch_time' not in line:
                figures = {k: v for k, v in line.items() if k not in ('time', 'data_time', 'memory')}
                logged.setdefault(line['iter'], []).append(figures)
    return logged
