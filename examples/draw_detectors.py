"""Draws what configs/experiments/detector_small.py trained: AP50 over the epochs, and the boxes of some test scenes.

    python tools/compare.py configs/experiments/detector_small.py
    python examples/draw_detectors.py

The scenes are drawn without their images, which are under terms of their owners: true boxes are filled, and the
detections with the highest scores are outlines.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmdet.datasets import CocoDataset
from mmengine.fileio import load
from pycocotools.coco import COCO

from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.picture import write_picture

ROOT = Path(__file__).parents[1]
COLOURS = '#1f77b4', '#d62728', '#2ca02c', '#9467bd'
SCENES, BOXES = 6, 3  # BOXES: detections per scene


def curves(folders):
    """AP50 of the validations of each row, over the epochs."""
    figure = Figure(figsize=(6, 3), layout='constrained')
    axes = figure.subplots()
    for (row, folder), colour in zip(folders.items(), COLOURS, strict=False):
        lines = [json.loads(line) for path in sorted(folder.glob('*/vis_data/scalars.json'))
                 for line in path.read_text().splitlines()]
        points = {line['step']: 100 * line['coco/bbox_mAP_50'] for line in lines if 'coco/bbox_mAP_50' in line}
        axes.plot(list(points), list(points.values()), marker='o', label=row, color=colour)
    axes.set(xlabel='epoch', ylabel='AP50 (%)', ylim=(0, None))
    axes.legend()
    return figure


def scenes(coco, images, detections):
    """A row of scenes per detector."""
    figure = Figure(figsize=(2.4 * SCENES, 2.5 * len(detections)), layout='constrained')
    for row, (name, by_image) in enumerate(detections.items()):
        for column, image in enumerate(images):
            axes = figure.add_subplot(len(detections), SCENES, row * SCENES + column + 1)
            info = coco.loadImgs(image)[0]
            axes.set(xlim=(0, info['width']), ylim=(info['height'], 0), xticks=[], yticks=[], aspect='equal',
                     ylabel=name if column == 0 else '')
            for truth in coco.loadAnns(coco.getAnnIds(image)):
                x, y, width, height = truth['bbox']
                axes.add_patch(Rectangle((x, y), width, height, color='#cfd8dc'))
                axes.text(x, y + height, coco.loadCats(truth['category_id'])[0]['name'], fontsize=6, color='#546e7a')
            for left, top, right, bottom, score, label in by_image[image][:BOXES]:
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, color='#d62728'))
                axes.text(left, top, f'{label} {score:.2f}', fontsize=6, color='#d62728')
    return figure


def detected(folder, epoch, out):
    """Image id -> detections by falling score, of the last checkpoint by tools/test.py."""
    results = out / f'{folder.parent.name}.pkl'
    subprocess.run([sys.executable, ROOT / 'tools/test.py', folder.with_suffix('.py'), folder / f'epoch_{epoch}.pth',
                    '--out', results, '--work-dir', out / folder.parent.name], check=True, stdout=subprocess.DEVNULL)
    by_image = {}
    for result in load(results):
        boxes = result['pred_instances']
        by_image[result['img_id']] = [
            (*box.tolist(), score.item(), label.item()) for box, score, label in zip(
                boxes['bboxes'], boxes['scores'], boxes['labels'], strict=True)]
    return by_image


def main(argv=None):
    parser = argparse.ArgumentParser(description='Draw the detectors that detector_small.py trained')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/experiments'), help='of tools/compare.py')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/detectors'), help='folder of the pictures')
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    runs = plan_runs(load_experiment(ROOT / 'configs/experiments/detector_small.py'))
    folders = {run.row: args.work_dir / 'runs' / run.identity / 'coco' for run in runs}
    cfg = runs[0].evaluations['coco']
    coco = COCO(cfg.test_evaluator.ann_file)
    names = CocoDataset.METAINFO['classes']
    images = coco.getImgIds()[:SCENES]
    detections = {row: {image: [(*values[:-1], names[values[-1]]) for values in boxes]
                        for image, boxes in detected(folder, cfg.train_cfg.max_epochs, args.out).items()}
                  for row, folder in folders.items()}
    for path in (*write_picture(args.out / 'curves', lambda: curves(folders)),
                 *write_picture(args.out / 'scenes', lambda: scenes(coco, images, detections))):
        print(f'written: {path}')


if __name__ == '__main__':
    main()
