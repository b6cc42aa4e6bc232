"""Makes demonstration data: scikit-learn's handwritten digits as a classification and a detection task.

Single digits are to be classified, in ImageNet's folder layout, and digits in
scenes to be detected, in COCO's. The 1,797 digits are split once, by class,
into 1,200 for training and 597 for validation; a validation digit is in no
training image of either task. Colours, noise and places are drawn from a seed:
the same seed gives the same files to the byte.
"""
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
NUM_HELD_OUT = 597  # of 1,797 digits
IMAGE_SIZE = 32  # of single digits
DIGIT_SIZES = (24, 28)  # longer side of a single digit, pixels
SCENE_SIZE = 96
NUM_SCENES = dict(train=600, val=100)
SCENE_DIGITS = (1, 5)  # digits per scene
SCENE_DIGIT_SIZES = (16, 40)  # longer side of a digit in a scene, pixels
MARKER = 'README.md'  # written into the data; names their kind and seed

_ABOUT = """# Demonstration data

Made by imtnas_mm (tools/make_demo_data.py, version 1, seed {seed}) from the handwritten digits that scikit-learn ships.
It shows that the programs work; results on it say nothing about methods.

- imagenet/: {train} training and {val} validation images of one digit, 32x32, in ImageNet's folder layout
- coco/: {train_scenes} training and {val_scenes} validation scenes of 1 to 5 digits, 96x96, in COCO's layout
- the digits of the validation images and scenes are in no training image or scene

Licence: the digits are the test part of UCI's Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak,
1998, https://doi.org/10.24432/C50P49), CC BY 4.0; changed here: enlarged, coloured and composed.
"""


class DemoDataError(RuntimeError):
    """The folder for the demonstration data holds something else."""


def make_demo_data(out='data/demo', seed=0):
    """Write the demonstration data unless they are there.

    They are written beside ``out`` and then renamed, so ``out`` is either
    complete or absent.

    Returns:
        bool: whether anything was written.

    Raises:
        DemoDataError: ``out`` exists, but its data are incomplete, have
            another seed or version, or were not made by this function.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        _check_complete(out, seed)
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=out.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private
        _write(temporary, seed)
        try:
            os.replace(temporary, out)
        except OSError:  # another process was faster
            _check_complete(out, seed)
            return False
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _about(seed):
    return _ABOUT.format(
        seed=seed,
        train=1797 - NUM_HELD_OUT,
        val=NUM_HELD_OUT,
        train_scenes=NUM_SCENES['train'],
        val_scenes=NUM_SCENES['val'])


def _check_complete(out, seed):
    remedy = f'remove {str(out)!r}, or choose another folder with --out'
    marker = out / MARKER
    if not marker.is_file():
        raise DemoDataError(f'{str(out)!r} is not demonstration data: it has no {MARKER}; {remedy}')
    if marker.read_text() != _about(seed):
        raise DemoDataError(f'{str(marker)!r} is not that of demonstration data of version 1 and seed {seed}; {remedy}')
    for part, expected in (('imagenet/train', 1797 - NUM_HELD_OUT), ('imagenet/val', NUM_HELD_OUT),
                           ('coco/train2017', NUM_SCENES['train']), ('coco/val2017', NUM_SCENES['val'])):
        count = sum(1 for _ in (out / part).rglob('*.png'))
        if count != expected:
            raise DemoDataError(f'{str(out / part)!r} is incomplete: {count} images, not {expected}; {remedy}')
    for part in NUM_SCENES:
        if not (out / _annotation_file(part)).is_file():
            raise DemoDataError(f'{str(out / _annotation_file(part))!r} is missing; {remedy}')


def _annotation_file(part):
    return f'coco/annotations/instances_{part}2017.json'


def _write(root, seed):
    digits: Any = load_digits()
    train, held_out = train_test_split(
        np.arange(len(digits.target)), test_size=NUM_HELD_OUT, stratify=digits.target, random_state=seed)
    (root / 'coco/annotations').mkdir(parents=True)
    for number, (part, members) in enumerate(dict(train=np.sort(train), val=np.sort(held_out)).items()):
        streams = np.random.SeedSequence((seed, number)).spawn(2)
        _write_singles(root / 'imagenet' / part, digits, members, np.random.default_rng(streams[0]))
        _write_scenes(root, part, digits, members, np.random.default_rng(streams[1]))
    (root / MARKER).write_text(_about(seed))


def _write_singles(folder, digits, members, rng):
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for i in members:
        image = _background(IMAGE_SIZE, rng)
        ink = _enlarged(digits.images[i], rng.integers(DIGIT_SIZES[0], DIGIT_SIZES[1] + 1))
        top, left = (rng.integers(0, IMAGE_SIZE - side + 1) for side in ink.shape)
        _paint(image, ink, top, left, rng)
        _save(folder / CLASSES[digits.target[i]] / f'digit{i:04d}.png', image, rng)


def _write_scenes(root, part, digits, members, rng):
    folder = root / 'coco' / f'{part}2017'
    folder.mkdir()
    images, annotations = [], []
    for number in range(NUM_SCENES[part]):
        image = _background(SCENE_SIZE, rng)
        taken = np.zeros((SCENE_SIZE, SCENE_SIZE), bool)
        count = rng.integers(SCENE_DIGITS[0], SCENE_DIGITS[1] + 1)
        boxes = []
        while len(boxes) < count:
            i = rng.choice(members)
            ink = _enlarged(digits.images[i], rng.integers(SCENE_DIGIT_SIZES[0], SCENE_DIGIT_SIZES[1] + 1))
            height, width = ink.shape
            top, left = rng.integers(0, SCENE_SIZE - height + 1), rng.integers(0, SCENE_SIZE - width + 1)
            if taken[top:top + height, left:left + width].any():
                if rng.random() < .02:  # a full scene takes fewer digits
                    break
                continue
            taken[top:top + height, left:left + width] = True
            _paint(image, ink, top, left, rng)
            boxes.append((int(digits.target[i]), [int(left), int(top), int(width), int(height)]))
        name = f'{number + 1:012d}.png'
        _save(folder / name, image, rng)
        images.append(dict(id=number + 1, file_name=name, height=SCENE_SIZE, width=SCENE_SIZE))
        for label, box in boxes:
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number + 1,
                    category_id=label + 1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                    segmentation=[]))
    content = dict(
        info=dict(description=f"imtnas_mm demonstration data, {part}: scikit-learn's digits in scenes", version='1'),
        licenses=[dict(id=1, name='CC BY 4.0', url='https://creativecommons.org/licenses/by/4.0/')],
        images=images,
        annotations=annotations,
        categories=[dict(id=k + 1, name=name, supercategory='digit') for k, name in enumerate(CLASSES)])
    (root / _annotation_file(part)).write_text(json.dumps(content))


def _enlarged(digit, size):
    """An 8x8 digit (ink 0 to 16), cut to its box and enlarged to ``size`` pixels on the longer side, in [0, 1]."""
    rows, columns = np.flatnonzero(digit.max(1) > 4), np.flatnonzero(digit.max(0) > 4)
    digit = digit[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    scale = size / max(digit.shape)
    height, width = (max(round(side * scale), 4) for side in digit.shape)
    ink = cv2.resize(digit.astype(np.float32) / 16, (width, height), interpolation=cv2.INTER_CUBIC)
    return ink.clip(0, 1)


def _background(size, rng):
    """A dark colour with a smooth shade, ``[size, size, 3]`` around [0, 128]."""
    colour = rng.uniform(0, 128, 3)
    shade = cv2.resize(rng.uniform(-20, 20, (4, 4, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return colour + shade


def _paint(image, ink, top, left, rng):
    """Paint a digit in a random bright colour over ``image``, in place.

    Digits are always brighter than the ground: with darker ones among them the
    demonstration would have to train several times as long.
    """
    height, width = ink.shape
    patch = image[top:top + height, left:left + width]
    ground = patch.mean((0, 1))
    while True:
        colour = rng.uniform(128, 255, 3)
        if (colour - ground).sum() > 200:
            break
    patch += ink[..., None] * (colour - patch)


def _save(path, image, rng):
    """Add noise and write a PNG."""
    noisy = np.rint(image + rng.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
    done, data = cv2.imencode('.png', noisy)
    if not done:
        raise OSError(f'{path}: OpenCV could not encode the image')
    path.write_bytes(data.tobytes())
