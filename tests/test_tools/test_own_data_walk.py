"""The files and commands of docs/your_own_data.md, as they stand there, in an empty folder; on less data."""
import os
import re
import shlex
import subprocess
import sys

import pytest
from mmdet.visualization import DetLocalVisualizer
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from mmpretrain.visualization import UniversalVisualizer

from helpers import tiny_run as tiny
from helpers.forked_tools import exit_code

pytestmark = pytest.mark.slow
PAGE = (tiny.ROOT / 'docs' / 'your_own_data.md').read_text().partition('## What you need not write')[0]
# fewer images and iterations than the page has
LESS = {'batch_size=32': 'batch_size=4', 'batch_size=8': 'batch_size=2', 'flip=0': 'flip=0, num_workers=0',
        'epoch_length=10': 'epoch_length=1'}
TOOL = 'python ../imtnas_mm/tools/'


def blocks(kind=''):
    """The code blocks of the page."""
    return [text for found, text in re.findall(r'^```(\w*)\n(.*?)^```$', PAGE, re.M | re.S) if found == kind]


def forked(run, log):
    """Exit code of a tool in a fork of this process, which keeps nothing that mmengine remembers of earlier runs."""
    number = os.fork()
    if not number:
        for kind in (Visualizer, DetLocalVisualizer, UniversalVisualizer, MessageHub, MMLogger, DefaultScope):
            kind._instance_dict.clear()
        with open(log, 'wb') as file:
            os._exit(exit_code(*run, file))
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


@pytest.fixture(scope='module')
def folder(data, tmp_path_factory):
    """The user's folder beside the checkout, with the page's files and data under its names."""
    parent = tmp_path_factory.mktemp('walk')
    (parent / 'imtnas_mm').symlink_to(tiny.ROOT)
    folder = parent / 'mine'
    folder.mkdir()
    (folder / 'pictures').symlink_to(data / 'imagenet')
    (folder / 'scenes').symlink_to(data / 'coco')
    names = re.findall(r'^`(\w+\.py)`:$', PAGE, re.M)
    for name, text in zip(names, blocks('python'), strict=True):
        for old, new in LESS.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return folder


def test_the_walk(folder, monkeypatch):
    monkeypatch.setattr(Visualizer, '_instance_dict', Visualizer._instance_dict.copy())
    for name in ('visualizer', 'later'):  # as other tests leave them; mmengine's current one is the last
        Visualizer.get_instance(name)
    monkeypatch.chdir(folder)
    _, *steps = blocks()  # the first makes data
    commands = [line for step in steps for line in step.splitlines()]
    assert len(commands) == 12
    for number, command in enumerate(commands):
        if command.startswith(TOOL):
            name, *arguments = shlex.split(command.removeprefix(TOOL))
            log = folder / f'{number}.log'
            assert forked((name, arguments), log) == 0, f'{command}\n{log.read_text()}'
        else:
            program, *arguments = shlex.split(command)
            assert program == 'python'
            subprocess.run([sys.executable, *arguments], check=True, timeout=300)
    for place in ('architecture.json', 'architecture.png', 'classifier.safetensors', 'detector.safetensors',
                  'predicted/vis/*', 'work_dirs/search/report.html', 'work_dirs/detector/*/painted/*'):
        assert list(folder.glob(place)), place
