"""Measures the checks at the start of a run on data of the size of COCO and of ImageNet.

python benchmarks/data_checks.py [--images N] [--boxes N] [--listed N] [--out FILE]

Generated: an annotation file of so many boxes (with a polygon of 20 numbers each, as COCO has them) and images, whose
files are empty; and an image list with folders of 1000 classes. A hundredth of the boxes have no width, a hundredth of
the images no box. Seconds of the processor, one thread, files in the page cache.
parse: json.load of the annotation file. build: mmdet's CocoDataset of it, as every run builds it.
checks: all checks of the dataset, reading the file again included; read, files, dropped: of these, to read the file and
check its values, to see that every image is there, and to count what is left out. ratio: checks over parse.
stat: os.path.isfile of every image instead of listing the folder.
list, class_folders: the checks of an image list, and of its folders where there is no list; list_build: mmpretrain's
dataset of the list.
"""
import contextlib
import io
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoDataset
from mmpretrain.datasets import CustomDataset

from imtnas_mm.datasets import check_dataset, checks
from imtnas_mm.datasets.dropped import dropped_of_coco

CLASSES = tuple(f'class{k}' for k in range(80))


def write_coco(root, images, boxes):
    rng = np.random.default_rng(0)
    (root / 'images').mkdir()
    entries = [dict(id=i + 1, file_name=f'{i:012d}.jpg', height=480, width=640, license=1, date_captured='2013-11-14',
                    coco_url=f'http://images.cocodataset.org/train2017/{i:012d}.jpg') for i in range(images)]
    for entry in entries:
        (root / 'images' / entry['file_name']).touch()
    owners = rng.integers(1, images - images // 100, boxes)
    sizes = rng.uniform(1, 200, (boxes, 4)).round(2)
    sizes[::100, 2] = 0
    annotations = [
        dict(id=i, image_id=int(owner), category_id=i % 80 + 1, bbox=box, area=box[2] * box[3], iscrowd=0,
             segmentation=[box * 5]) for i, (owner, box) in enumerate(zip(owners, sizes.tolist(), strict=True))]
    categories = [dict(id=k + 1, name=name) for k, name in enumerate(CLASSES)]
    (root / 'boxes.json').write_text(json.dumps(dict(images=entries, annotations=annotations, categories=categories)))


def write_list(root, number):
    lines = [f'n{i % 1000:08d}/n{i % 1000:08d}_{i}.JPEG {i % 1000}' for i in range(number)]
    for k in range(1000):
        (root / 'train' / f'n{k:08d}').mkdir(parents=True)
    for line in lines:
        (root / 'train' / line.split()[0]).touch()
    (root / 'train.txt').write_text('\n'.join(lines) + '\n')


@contextlib.contextmanager
def timed(figures, name):
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        yield
    figures[name] = round(time.process_time() - start, 2)


def coco(root, images, boxes):
    write_coco(root, images, boxes)
    path, folder, figures = str(root / 'boxes.json'), str(root / 'images'), {}
    cfg = dict(data_root=str(root), ann_file='boxes.json', data_prefix=dict(img='images/'),
               metainfo=dict(classes=CLASSES), filter_cfg=dict(filter_empty_gt=True, min_size=32))
    with timed(figures, 'parse'), open(path) as file:
        content = json.load(file)
    del content
    with timed(figures, 'checks'):
        check_dataset(dict(cfg, type=CocoDataset), 'mmdet')
    figures['ratio'] = round(figures['checks'] / figures['parse'], 2)
    with timed(figures, 'read'):
        content = checks.load_coco(path, 'ann_file')
    with timed(figures, 'files'):
        checks.check_coco_images(content, path, folder, 'data_prefix')
    with timed(figures, 'stat'):
        assert all(os.path.isfile(os.path.join(folder, image['file_name'])) for image in content['images'])
    with timed(figures, 'dropped'):
        lines = dropped_of_coco(CocoDataset, cfg, content)
    del content
    with timed(figures, 'build'):
        dataset = CocoDataset(**cfg)
    print(*lines, sep='\n')
    left = sum(int(line.split()[0]) for line in lines if line.split()[1].startswith('image') and 'left out' in line)
    assert left == images - len(dataset)
    return figures


def image_list(root, number):
    write_list(root, number)
    figures = {}
    with timed(figures, 'list'):
        checks.check_image_list(str(root / 'train.txt'), str(root / 'train'), 1000, 'ann_file')
    with timed(figures, 'class_folders'):
        checks.check_class_folders(str(root / 'train'), None, ('.jpeg', ), 'data_prefix')
    with timed(figures, 'list_build'):
        CustomDataset(data_root=str(root), data_prefix='train', ann_file='train.txt')
    return figures


def main():
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--images', type=int, default=118_000)
    parser.add_argument('--boxes', type=int, default=860_000)
    parser.add_argument('--listed', type=int, default=118_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ('coco', 'imagenet'):
            (Path(folder) / name).mkdir()
        figures = coco(Path(folder) / 'coco', args.images, args.boxes)
        figures.update(image_list(Path(folder) / 'imagenet', args.listed))
    report(figures, args.out)


if __name__ == '__main__':
    main()
