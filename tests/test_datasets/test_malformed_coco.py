"""More than a hundred malformed annotation files: each is refused with an error that names the file and the place."""
import json
import re

import pytest

from imtnas_mm.datasets.checks import DataError, load_coco

GOOD = dict(
    images=[dict(id=i, file_name=f'{i}.png', height=10, width=20) for i in (1, 2)],
    annotations=[dict(id=i, image_id=i, category_id=7, bbox=[1, 2, 3, 4.5], area=13.5, iscrowd=0) for i in (1, 2)],
    categories=[dict(id=7, name='cat'), dict(id=9, name='dog')])
NAN, INFINITE = float('nan'), float('inf')
NO_NUMBERS = [None, '3', [], {}, True, NAN, INFINITE, -INFINITE, 10**400]
BAD = {
    ('images', 'id'): [None, '1', 1.5, [], {}, True, NAN],
    ('images', 'file_name'): [None, 3, '', ' ', [], {}, True],
    ('images', 'height'): [*NO_NUMBERS, 0, -1, .5],
    ('images', 'width'): [*NO_NUMBERS, 0, -1, .5],
    ('categories', 'id'): [None, '7', 7.5, [], {}, True, NAN],
    ('categories', 'name'): [None, 3, '', ' ', [], {}, True],
    ('annotations', 'id'): [None, '1', 1.5, [], {}, True, NAN],
    ('annotations', 'image_id'): [None, '1', 1.5, [], {}, True, NAN, 3, -1],
    ('annotations', 'category_id'): [None, '7', 7.5, [], {}, True, NAN, 8, -1],
    ('annotations', 'area'): [*NO_NUMBERS, -1],
    ('annotations', 'bbox'): [
        None, 'box', 3, {}, [], [1, 2, 3], [1, 2, 3, 4, 5], [[1, 2, 3, 4]], [1, 2, -3, 4], [1, 2, 3, -4],
        *([1, 2, 3, bad] for bad in NO_NUMBERS), *([bad, 2, 3, 4] for bad in NO_NUMBERS)
    ],
    ('annotations', 'iscrowd'): [None, '1', 2, -1, [], NAN],
}
VALUES = [(key, name, value, i) for (key, name), values in BAD.items() for value in values for i in (0, 1)]
NEEDED = [(key, name) for key, name in BAD if name != 'iscrowd']


def content():
    return json.loads(json.dumps(GOOD))


def refuse(tmp_path, text, place):
    path = tmp_path / 'boxes.json'
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    with pytest.raises(DataError, match=rf"^det.ann_file: '{re.escape(str(path))}'.*{re.escape(place)}"):
        load_coco(str(path), 'det.ann_file')


def test_the_good_file_is_read(tmp_path):
    """With a box of no area, as COCO itself has; and there are enough of the bad ones."""
    good = content()
    good['annotations'][1].update(bbox=[1, 2, 3, 0], area=0)
    (tmp_path / 'boxes.json').write_text(json.dumps(good))
    assert load_coco(str(tmp_path / 'boxes.json'), 'det.ann_file') == good
    assert len({repr(value) for value in VALUES}) > 100


@pytest.mark.parametrize('key, name, value, i', VALUES)
def test_value(tmp_path, key, name, value, i):
    bad = content()
    bad[key][i][name] = value
    refuse(tmp_path, json.dumps(bad), f'{key}[{i}].{name} is ')


@pytest.mark.parametrize('key, name', NEEDED)
def test_missing_field(tmp_path, key, name):
    bad = content()
    del bad[key][1][name]
    refuse(tmp_path, json.dumps(bad), f"{key}[1] lacks ['{name}']")


@pytest.mark.parametrize('key', GOOD)
def test_same_id_twice(tmp_path, key):
    bad = content()
    bad[key][1]['id'] = bad[key][0]['id']
    refuse(tmp_path, json.dumps(bad), f'{key}[1].id is {bad[key][0]["id"]}')


@pytest.mark.parametrize('name', ['1.png', './1.png'])
def test_same_image_twice(tmp_path, name):
    bad = content()
    bad['images'][1]['file_name'] = name
    refuse(tmp_path, json.dumps(bad), f'images[1].file_name is {name!r}, as that of images[0]; names must differ')


@pytest.mark.parametrize('key', GOOD)
@pytest.mark.parametrize('entry', [None, 3, 'x', [], True])
def test_entry_that_is_no_object(tmp_path, key, entry):
    bad = content()
    bad[key][1] = entry
    refuse(tmp_path, json.dumps(bad), f'{key}[1] lacks')


@pytest.mark.parametrize('key', GOOD)
@pytest.mark.parametrize('entries', [None, 3, 'x', {}, [], True])
def test_entries_that_are_no_list(tmp_path, key, entries):
    refuse(tmp_path, json.dumps({**content(), key: entries}), f"'{key}' must be a list with one entry or more")


@pytest.mark.parametrize('text, place', [
    ('null', 'holds a NoneType'), ('3', 'holds a int'), ('"x"', 'holds a str'), ('[]', 'holds a list'),
    ('{}', "has no 'images'"), ('{', 'is not JSON'), (b'\xff\xfe\x00', 'is not JSON'), (b'\x1f\x8b\x08', 'is not JSON'),
    ('[' * 200_000, 'is not JSON'), (json.dumps(GOOD)[:-1], 'is not JSON'), (json.dumps(GOOD) + 'x', 'is not JSON'),
])
def test_text(tmp_path, text, place):
    refuse(tmp_path, text, place)
