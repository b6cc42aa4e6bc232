"""Checks of annotation files, folders and image lists, with errors that name file and field.

mmdet and mmpretrain mostly go on with wrong data: they drop a class name that
the annotation file lacks, and train on nothing if a file has no annotations.
Every function takes plain paths, and ``field``: the place of the path in the
config.
"""
import contextlib
import gc
import json
import numbers
import os
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from ..files.inputs import check_file

COCO_LAYOUT = 'annotations/instances_{train,val}2017.json, train2017/*.jpg and val2017/*.jpg (COCO)'
FOLDER_LAYOUT = 'train/<class>/*.JPEG and val/<class>/*.JPEG (ImageNet)'
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')  # of mmpretrain's CustomDataset

_IMAGE_KEYS = ('id', 'file_name', 'height', 'width')
_ANNOTATION_KEYS = ('id', 'image_id', 'category_id', 'bbox', 'area')


class DataError(RuntimeError):
    """Data that can't be used. Its one argument is the message, so that it passes through a dataloader's worker."""


def check_folder(path: str, field: str, layout: str) -> None:
    """Raise DataError unless ``path`` is a folder with something in it."""
    if not os.path.isdir(path):
        raise DataError(f'{field}: {path!r} is not a folder; expected {layout}')
    if not os.listdir(path):
        raise DataError(f'{field}: {path!r} is empty; expected {layout}')


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Pauses garbage collection, which takes more than half of the time in which a large file is read."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@collection_paused()
def load_coco(path: str, field: str) -> dict[str, Any]:
    """Read an annotation file in COCO's format and check its structure.

    No two entries may name the same image: it could be in both halves of a
    search's training set.

    Returns:
        dict: the file's content.

    Raises:
        DataError: no such file; it is empty, not JSON or not an object;
            images, annotations or categories are missing or empty; an entry
            lacks a key that mmdet reads; or a value is of the wrong kind.
    """
    check_file(path, field, DataError)
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{field}: {path!r} is not JSON: {error}') from error
    if not isinstance(content, dict):
        raise DataError(f'{field}: {path!r} holds a {type(content).__name__}; a COCO file is an object with images, '
                        'annotations and categories')
    for key, needed in (('images', _IMAGE_KEYS), ('annotations', _ANNOTATION_KEYS), ('categories', ('id', 'name'))):
        if key not in content:
            raise DataError(f'{field}: {path!r} has no {key!r}; it has {sorted(content)}')
        entries = content[key]
        if not isinstance(entries, list) or not entries:
            raise DataError(f'{field}: {path!r}: {key!r} must be a list with one entry or more, got '
                            f'{"an empty list" if entries == [] else type(entries).__name__}')
        for i, entry in enumerate(entries):
            missing = needed if not isinstance(entry, dict) else [name for name in needed if name not in entry]
            if missing:
                raise DataError(f'{field}: {path!r}: {key}[{i}] lacks {list(missing)}')
    _check_values(content, f'{field}: {path!r}')
    _check_file_names(content, f'{field}: {path!r}')
    return content


def _is_id(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_name(value):
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: object) -> bool:
    # math.isfinite raises for whole numbers too large for a float, which JSON can have
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    number: Any = value  # numbers.Real declares no type of its abs
    return bool(abs(number) <= sys.float_info.max)


def _is_size(value):
    return _is_number(value) and value >= 1


def _is_area(value):
    return _is_number(value) and value >= 0


def _is_box(value):
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)) and min(value[2:]) >= 0


_KINDS = {
    'images': (('id', _is_id, 'a whole number'), ('file_name', _is_name, 'a path'),
               ('height', _is_size, 'a number from 1'), ('width', _is_size, 'a number from 1')),
    'categories': (('id', _is_id, 'a whole number'), ('name', _is_name, 'a name')),
    'annotations': (('id', _is_id, 'a whole number'),
                    ('bbox', _is_box, '[x, y, width, height], finite and not of negative size'),
                    ('area', _is_area, 'a number from 0')),
}


def _check_values(content, where):
    """Raise DataError unless values have the right kinds, ids differ, and annotations refer to existing ids."""
    ids = {}
    for key, kinds in _KINDS.items():
        seen = ids[key] = set()
        for i, entry in enumerate(content[key]):
            for name, is_right, right in kinds:
                if not is_right(entry[name]):
                    raise DataError(f'{where}: {key}[{i}].{name} is {short(entry[name])}; must be {right}')
            if entry['id'] in seen:
                raise DataError(f'{where}: {key}[{i}].id is {entry["id"]}, as that of an entry before; ids must differ')
            seen.add(entry['id'])
    for i, annotation in enumerate(content['annotations']):
        for name, key in (('image_id', 'images'), ('category_id', 'categories')):
            value = annotation[name]
            if not _is_id(value) or value not in ids[key]:
                raise DataError(f'{where}: annotations[{i}].{name} is {short(value)}; must be the id of one of {key}')
        crowd = annotation.get('iscrowd', 0)
        if crowd not in (0, 1):
            raise DataError(f'{where}: annotations[{i}].iscrowd is {short(crowd)}; must be 0 or 1')


def _check_file_names(content, where):
    first = {}
    for i, image in enumerate(content['images']):
        before = first.setdefault(os.path.normpath(image['file_name']), i)
        if before != i:
            raise DataError(f'{where}: images[{i}].file_name is {short(image["file_name"])}, as that of '
                            f'images[{before}]; names must differ')


def short(value: object) -> str:
    """The value for a message, cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:
        text = f'a {type(value).__name__} nested too deeply'
    return text if len(text) <= 80 else f'{text[:80]}...'


def check_coco_classes(content: dict[str, Any], path: str, classes: Sequence[str], field: str) -> None:
    """Raise DataError unless every name of ``classes`` is a category, in the file's order.

    CocoDataset drops names that the file lacks, and numbers labels in the
    file's order, not in that of ``classes``. ``field`` is the place of
    ``classes`` in the config.
    """
    names = [category['name'] for category in content['categories']]
    missing = [name for name in classes if name not in names]
    if missing:
        raise DataError(f'{field}: {some(missing)} of {len(classes)} class names are not in {path!r}, whose '
                        f'categories are {some(names)}; set {field} to the categories to detect')
    in_file = [name for name in names if name in set(classes)]
    if list(classes) != in_file:
        raise DataError(f'{field}: {some(classes)} is in another order than in {path!r}, or has a name twice; mmdet '
                        f'numbers the labels as the file does: {some(in_file)}')


def check_coco_images(content: dict[str, Any], path: str, folder: str, field: str) -> None:
    """Raise DataError unless every image of a COCO file lies in ``folder``.

    It lists folders instead of looking up files: 118,000 images take a
    fraction of a second.
    """
    names = [image['file_name'] for image in content['images']]
    missing = missing_files(folder, names)
    if missing:
        places = [f'images[{i}] {names[i]!r}' for i in missing]
        raise DataError(f'{field}: {len(missing)} of the {len(names)} images of {path!r} are not in {folder!r}: '
                        f'{some(places)}; expected {COCO_LAYOUT}')


def missing_files(folder: str, names: Sequence[str]) -> list[int]:
    """The indices of ``names`` that are no files below ``folder``."""
    files, missing = {}, []  # files by folder
    for i, name in enumerate(names):
        inside, base = os.path.split(os.path.join(folder, name))
        if inside not in files:
            files[inside] = files_in(inside)
        if base not in files[inside]:
            missing.append(i)
    return missing


def files_in(folder: str) -> Set[str]:
    """The names of the files in a folder; none if there is no such folder."""
    try:
        with os.scandir(folder or '.') as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a zero byte
        return frozenset()


def check_class_folders(path: str, classes: Sequence[str] | None, extensions: Iterable[str], field: str) -> list[str]:
    """Raise DataError unless ``path`` has one folder per class, each with an image.

    Labels number the sorted folder names: a missing folder would shift them.
    With ``classes=None`` every folder is a class.

    Returns:
        list[str]: the files that mmpretrain leaves out of these folders, one line per reason.
    """
    check_folder(path, field, FOLDER_LAYOUT)
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    folders = [entry.name for entry in entries if entry.is_dir()]
    if not folders:
        raise DataError(f'{field}: {path!r} has no folders; expected one per class: {FOLDER_LAYOUT}')
    hidden = [name for name in folders if name.startswith('.')]
    if hidden:
        raise DataError(f'{field}: {path!r} has the hidden folders {some(hidden)}, which mmpretrain takes for classes; '
                        'remove them')
    if classes is not None and len(classes) != len(folders):
        raise DataError(f'{field}: {path!r} has {len(folders)} class folders ({some(folders)}), but the dataset has '
                        f'{len(classes)} classes ({some(classes)}); set metainfo=dict(classes=...) to one name '
                        "per folder, or use type='CustomDataset', which takes the folders as classes")
    extensions = tuple(extension.lower() for extension in extensions)
    right = ', '.join(sorted(extensions))
    outside = [entry.name for entry in entries if not entry.is_dir()]
    hidden, others = [], []
    for folder in folders:
        images = 0
        for inside, _, names in os.walk(os.path.join(path, folder), followlinks=True):
            for name in names:
                if name.startswith('.'):
                    hidden.append(os.path.join(os.path.relpath(inside, path), name))
                elif name.lower().endswith(extensions):
                    images += 1
                else:
                    others.append(os.path.join(os.path.relpath(inside, path), name))
        if not images:
            raise DataError(f'{field}: {os.path.join(path, folder)!r} has no image ({right})')
    reasons = {'outside the class folders': outside, 'hidden': hidden, f'not of the endings {right}': others}
    return [f'{field}: {path!r}: {len(names)} file{"s" * (len(names) > 1)} left out, {why}: {some(names, 5)}'
            for why, names in reasons.items() if names]


def check_image_list(path: str, folder: str, num_classes: int | None, field: str) -> None:
    """Raise DataError unless every line of ``path`` is an image below ``folder``, with its label.

    Args:
        path (str): text file with lines like ``n01440764/n01440764_10026.JPEG 0``.
        folder (str): the root of the images' paths.
        num_classes (int | None): labels must be smaller; None if it isn't
            known; 0 if lines have no labels.
        field (str): the place of ``path`` in the config.
    """
    check_file(path, field, DataError)
    try:
        with open(path, encoding='utf-8') as file:
            lines = [line.rstrip('\r\n') for line in file]
    except UnicodeDecodeError as error:
        raise DataError(f'{field}: {path!r} is not text: {error}') from error
    names, first, root = [], {}, os.path.abspath(folder)
    for i, line in enumerate(lines):
        name, _, label = line.strip().rpartition(' ') if num_classes != 0 else (line, '', '0')
        where = f'{field}: {path!r}: line {i + 1} is {short(line)}'
        if not name.strip():
            right = 'an image' if num_classes == 0 else 'an image and its label, with a space between'
            raise DataError(f'{where}; must be {right}')
        if not (label.isascii() and label.isdigit()) or num_classes and int(label) >= num_classes:
            raise DataError(f'{where}; the label must be a whole number from 0' +
                            (f' to {num_classes - 1}' if num_classes else ''))
        if folder and (name.startswith('/') or '..' in name) and os.path.commonpath(
                [root, os.path.abspath(os.path.join(folder, name))]) != root:
            raise DataError(f'{where}; it leaves {folder!r}, where the images are')
        before = first.setdefault(os.path.normpath(name), i)
        if before != i:
            raise DataError(f'{where}; the image stands in line {before + 1}, too')
        names.append(name)
    missing = missing_files(folder, names)
    if missing:
        i = missing[0]
        raise DataError(f'{field}: {path!r}: line {i + 1} is {short(lines[i])}; '
                        f'{os.path.join(folder, names[i])!r} does not exist, and {len(missing)} of {len(names)} images '
                        f'do not; expected {FOLDER_LAYOUT}')


def some(names: Iterable[object], most: int = 8) -> str:
    names = list(names)
    return f'{names[:most]}' if len(names) <= most else f'{names[:most]} and {len(names) - most} more'
