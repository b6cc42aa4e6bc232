"""What must hold of data on disk, checked with errors that name file and field.

mmdet and mmpretrain mostly take what they find: a class name that the
annotation file doesn't have is dropped, a file without annotations trains on
nothing. Every function here takes plain paths, and ``field``: the place in the
config that the path came from.
"""
import contextlib
import gc
import json
import numbers
import os
import sys
from typing import Any

COCO_LAYOUT = 'annotations/instances_{train,val}2017.json, train2017/*.jpg and val2017/*.jpg (COCO)'
FOLDER_LAYOUT = 'train/<class>/*.JPEG and val/<class>/*.JPEG (ImageNet)'

_IMAGE_KEYS = ('id', 'file_name', 'height', 'width')
_ANNOTATION_KEYS = ('id', 'image_id', 'category_id', 'bbox', 'area')


class DataError(RuntimeError):
    """Data that can't be used. One message, so that it survives a dataloader's worker."""


def is_remote(path):
    """Paths of mmengine's other file backends ('s3://...') aren't checked."""
    return '://' in str(path)


def check_folder(path, field, layout):
    """Raise DataError unless ``path`` is a folder with something in it."""
    if not os.path.isdir(path):
        raise DataError(f'{field}: {path!r} is not a folder; expected {layout}')
    if not os.listdir(path):
        raise DataError(f'{field}: {path!r} is empty; expected {layout}')


def check_file(path, field):
    """Raise DataError unless ``path`` is a file that isn't empty."""
    if not os.path.isfile(path):
        raise DataError(f'{field}: {path!r} is not a file')
    if os.path.getsize(path) == 0:
        raise DataError(f'{field}: {path!r} is empty (0 bytes)')


@contextlib.contextmanager
def collection_paused():
    """No garbage collection: over the objects of a large file it takes more than half of the time to read it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@collection_paused()
def load_coco(path, field):
    """Read an annotation file in COCO's format and check its structure.

    An image's name may stand in one entry alone: with two, one half of the
    training set could have an image that the other has, too.

    Returns:
        dict: the file's content.

    Raises:
        DataError: no such file, empty, not JSON, not an object, without one of
            images, annotations and categories or with nothing in it, an entry
            that lacks what mmdet reads, or a value that is not of its kind.
    """
    check_file(path, field)
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


def _is_number(value: Any) -> bool:
    # compared, since math.isfinite fails on whole numbers beyond the floats, which JSON can have
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
    """Raise DataError unless values are of their kinds, ids differ, and annotations refer to what is there."""
    ids = {}
    for key, kinds in _KINDS.items():
        found = ids[key] = set()
        for i, entry in enumerate(content[key]):
            for name, is_right, right in kinds:
                if not is_right(entry[name]):
                    raise DataError(f'{where}: {key}[{i}].{name} is {short(entry[name])}; must be {right}')
            if entry['id'] in found:
                raise DataError(f'{where}: {key}[{i}].id is {entry["id"]}, as that of an entry before; ids must differ')
            found.add(entry['id'])
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


def short(value):
    """The value for a message, cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:
        text = f'a {type(value).__name__} nested too deeply'
    return text if len(text) <= 80 else f'{text[:80]}...'


def check_coco_classes(content, path, classes, field):
    """Raise DataError unless every name of ``classes`` is a category, in the file's order.

    CocoDataset drops names that the file lacks, and numbers labels in the
    file's order whatever the order of ``classes`` is. ``field`` is the place
    of ``classes`` in the config.
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


def check_coco_images(content, path, folder, field):
    """Raise DataError unless every image of a COCO file lies in ``folder``.

    Folders are listed rather than files looked up: 118,000 of them take a
    fraction of a second.
    """
    names = [image['file_name'] for image in content['images']]
    missing = missing_files(folder, names)
    if missing:
        places = [f'images[{i}] {names[i]!r}' for i in missing]
        raise DataError(f'{field}: {len(missing)} of the {len(names)} images of {path!r} are not in {folder!r}: '
                        f'{some(places)}; expected {COCO_LAYOUT}')


def missing_files(folder, names):
    """The places in ``names`` of those that are no files below ``folder``."""
    found, missing = {}, []
    for i, name in enumerate(names):
        inside, base = os.path.split(os.path.join(folder, name))
        if inside not in found:
            found[inside] = files_in(inside)
        if base not in found[inside]:
            missing.append(i)
    return missing


def files_in(folder):
    """The names of the files in a folder; none where there is no such folder."""
    try:
        with os.scandir(folder or '.') as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a name with a zero byte
        return frozenset()


def check_class_folders(path, classes, extensions, field):
    """Raise DataError unless ``path`` has one folder a class, each with an image.

    Labels are numbered by the sorted folder names: a folder too few would
    shift them. ``classes`` may be None: then every folder is a class.

    Returns:
        list[str]: what mmpretrain leaves out of these folders, a line a reason.
    """
    check_folder(path, field, FOLDER_LAYOUT)
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    folders = [entry.name for entry in entries if entry.is_dir()]
    if not folders:
        raise DataError(f'{field}: {path!r} has no folders; expected one a class: {FOLDER_LAYOUT}')
    hidden = [name for name in folders if name.startswith('.')]
    if hidden:
        raise DataError(f'{field}: {path!r} has the hidden folders {some(hidden)}, which mmpretrain takes for classes; '
                        'remove them')
    if classes is not None and len(classes) != len(folders):
        raise DataError(f'{field}: {path!r} has {len(folders)} class folders ({some(folders)}), but the dataset has '
                        f'{len(classes)} classes ({some(classes)}); set metainfo=dict(classes=...) to one name a '
                        "folder, or use type='CustomDataset', which takes the folders as classes")
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


def check_image_list(path, folder, num_classes, field):
    """Raise DataError unless every line of ``path`` is an image below ``folder`` and, if it has one, its label.

    Args:
        path (str): text file, ``n01440764/n01440764_10026.JPEG 0`` a line.
        folder (str): what the images' paths start from.
        num_classes (int | None): labels are smaller; None where that isn't
            known; 0 where a line is an image without a label.
        field (str): the place of ``path`` in the config.
    """
    check_file(path, field)
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


def some(names, most=8):
    names = list(names)
    return f'{names[:most]}' if len(names) <= most else f'{names[:most]} and {len(names) - most} more'
