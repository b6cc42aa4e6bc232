"""Run the whole workflow on demonstration data: search, derive, retrain, test, pictures.

Each step is a command that a user would type. It is printed before it runs, and its output goes to a log file.
"""
import argparse
import glob
import json
import os
import os.path as osp
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imtnas_mm.analysis.certainty import Certainty

HERE = osp.dirname(osp.abspath(__file__))
# a search prints `epoch 3/12 [10/40] | ... | eta 0:04:30`, other runs `Epoch(train) [3][10/40] ... eta: 0:01:00`
PROGRESS = re.compile(r'(epoch\s+\d+/\d+ \[\d+/\d+\]|Epoch\(\w+\)\s*(?:\[\s*\d+\])?\[\s*\d+/\d+\])')
ETA = re.compile(r'\beta:? ([\d:]+)')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Search, derive, retrain and test on handwritten digits')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='where all results go')
    parser.add_argument('--search', default='configs/imtnas_digits.py', help='config of the search')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


class Steps:
    """Runs commands one after the other, with one progress line per command."""

    def __init__(self, work_dir: str, total: int) -> None:
        self.work_dir = work_dir
        self.total = total
        self.done = 0
        self.start = time.time()

    def run(self, title: str, tool: str, *arguments: str) -> None:
        self.done += 1
        log = osp.join(self.work_dir, f'{self.done}_{osp.splitext(tool)[0]}.log')
        command = [sys.executable, osp.join(HERE, tool), *arguments]
        shown = ' '.join(['python', f'tools/{tool}', *arguments])
        print(f'[{self.done}/{self.total}] {title}\n      {shown}', flush=True)
        begun = time.time()
        with open(log, 'w', buffering=1) as file:  # by the line: it can be followed
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for line in process.stdout or ():
                file.write(line)
                match, eta = PROGRESS.search(line), ETA.search(line)
                if match:
                    self.progress(match.group(1) + (f', eta {eta.group(1)}' if eta else ''), begun)
            code = process.wait()
        self.clear()
        if code:
            with open(log) as file:
                sys.stderr.write(''.join(file.readlines()[-15:]))
            raise SystemExit(f'{shown} failed with exit code {code}; its output is in {log}')
        print(f'      done in {time.time() - begun:.0f} s, log {log}', flush=True)

    def progress(self, text: str, begun: float) -> None:
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f'\r      {text}  {time.time() - begun:.0f} s'.ljust(width)[:width], end='', flush=True)
        elif time.time() - getattr(self, 'last', 0) > 15:
            self.last = time.time()
            print(f'      {text}  {time.time() - begun:.0f} s', flush=True)

    @staticmethod
    def clear() -> None:
        if sys.stdout.isatty():
            print('\r' + ' ' * (shutil.get_terminal_size().columns - 1) + '\r', end='')


def metrics(work_dir: str) -> dict[str, float]:
    """The metrics of the newest test by tools/test.py in a work dir."""
    newest = max(glob.glob(osp.join(work_dir, '*', '*.json')), key=osp.getmtime)
    with open(newest) as file:
        return json.load(file)


def validation(work_dir: str) -> dict[str, Any]:
    """The metrics of the newest validation of a training: of a search, those of the search network."""
    newest = max(glob.glob(osp.join(work_dir, '*', 'vis_data', 'scalars.json')), key=osp.getmtime)
    with open(newest) as file:
        lines = [json.loads(line) for line in file]
    return [line for line in lines if any('accuracy' in key for key in line)][-1]


def certainty(architecture: str) -> 'Certainty':
    """How sure the choices of an architecture file are."""
    from imtnas_mm.analysis.certainty import certainty_of
    from imtnas_mm.genotype import load_genotype
    return certainty_of(load_genotype(architecture))


def checkpoint(work_dir: str) -> str:
    with open(osp.join(work_dir, 'last_checkpoint')) as file:
        return file.read().strip()


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    root = args.work_dir
    os.makedirs(root, exist_ok=True)
    search, cls, det = (osp.join(root, name) for name in ('search', 'classification', 'detection'))
    architecture = osp.join(root, 'architecture.json')
    seed = ['--cfg-options', f'randomness.seed={args.seed}']
    steps = Steps(root, 7)
    print('This demonstrates the programs on handwritten digits that scikit-learn ships; its figures say nothing about '
          'methods.')
    steps.run('write the data', 'make_demo_data.py')
    steps.run('search one architecture for both tasks', 'train.py', args.search, '--work-dir', search, *seed)
    steps.run('derive it', 'derive.py', args.search, checkpoint(search), '--out', architecture, '--shape', '32')
    retrain = ['--architecture', architecture]
    steps.run('retrain it for classification', 'train.py', 'configs/retrain/digits_classification.py', '--work-dir',
              cls, *retrain, *seed)
    steps.run('retrain it for detection, from the classifier', 'train.py', 'configs/retrain/digits_detection.py',
              '--work-dir', det, *retrain, *seed, 'model.backbone.init_cfg.type=Pretrained',
              f'model.backbone.init_cfg.checkpoint={checkpoint(cls)}', 'model.backbone.init_cfg.prefix=backbone.')
    steps.run('test the classifier on held-out digits', 'test.py', 'configs/retrain/digits_classification.py',
              checkpoint(cls), '--work-dir', osp.join(cls, 'test'), *retrain)
    steps.run('test the detector on held-out scenes', 'test.py', 'configs/retrain/digits_detection.py', checkpoint(det),
              '--work-dir', osp.join(det, 'test'), '--show-dir', 'pictures', *retrain)
    top = metrics(osp.join(cls, 'test'))
    boxes = metrics(osp.join(det, 'test'))
    searched = validation(search)
    pictures = max(glob.glob(osp.join(det, 'test', '*', 'pictures')), key=osp.getmtime)
    print(f'\nFinished in {time.time() - steps.start:.0f} s. On held-out digits and scenes:\n'
          f'  classification  top-1 {top["accuracy/top1"]:.1f} %, top-5 {top["accuracy/top5"]:.1f} %\n'
          f'  detection       AP {boxes["coco/bbox_mAP"]:.3f}, AP50 {boxes["coco/bbox_mAP_50"]:.3f}, '
          f'AP75 {boxes["coco/bbox_mAP_75"]:.3f}\n'
          f'The search network itself, on held-out training data: top-1 {searched["cls/accuracy/top1"]:.1f} %, '
          f'AP50 {searched["det/coco/bbox_mAP_50"]:.3f}\n'
          f'How sure its choices are: {certainty(architecture)}\n'
          'Where the results are:\n'
          f'  architecture    {architecture}, drawn in {osp.splitext(architecture)[0]}.png and .svg\n'
          f'  detections      {pictures} (truth left, found right)\n'
          f'  search          {search}: its page report.html, checkpoints, log, TensorBoard\n'
          f'  classifier      {checkpoint(cls)}\n'
          f'  detector        {checkpoint(det)}')


if __name__ == '__main__':
    main()
