"""The pictures of examples/draw_detectors.py, from files as a run leaves them."""
import importlib.util
import json
from pathlib import Path

import pytest
from pycocotools.coco import COCO

EXAMPLES = Path(__file__).parents[1] / 'examples'


@pytest.fixture(scope='module')
def draw_detectors():
    spec = importlib.util.spec_from_file_location('draw_detectors', EXAMPLES / 'draw_detectors.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_curves_are_those_of_the_log(draw_detectors, tmp_path):
    """Of two rows; lines of training have no AP50, and a resumed run has two logs."""
    folders = {}
    for row, logs in {'one': [[(1, .1)], [(2, .3)]], 'two': [[(1, .2), (2, .25)]]}.items():
        folders[row] = tmp_path / row
        for index, log in enumerate(logs):
            path = tmp_path / row / f'2026010{index}' / 'vis_data' / 'scalars.json'
            path.parent.mkdir(parents=True)
            lines = [dict(step=5, loss=.7), *({'step': step, 'coco/bbox_mAP_50': value} for step, value in log)]
            path.write_text('\n'.join(map(json.dumps, lines)))
    axes, = draw_detectors.curves(folders).axes
    assert [(line.get_label(), line.get_xydata().tolist()) for line in axes.lines] == [
        ('one', [[1, 10], [2, 30]]), ('two', [[1, 20], [2, 25]])]


def test_a_scene_has_its_boxes_and_the_best_detections(draw_detectors, tmp_path, capsys):
    (tmp_path / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=image, width=40, height=30, file_name='none') for image in (1, 2)],
        categories=[dict(id=7, name='cat')],
        annotations=[dict(id=number, image_id=1, category_id=7, bbox=[number, 2, 10, 8], area=80, iscrowd=0)
                     for number in (1, 2)])))
    coco = COCO(tmp_path / 'a.json')
    boxes = [(0, 0, 5, 5, score, 'dog') for score in (.9, .8, .7, .1)]
    first, second = draw_detectors.scenes(coco, [1, 2], {'ours': {1: boxes, 2: []}}).axes
    filled = [patch.get_xy() for patch in first.patches if patch.get_fill()]
    assert filled == [(1, 2), (2, 2)] and len(first.patches) == 2 + draw_detectors.BOXES
    assert [text.get_text() for text in first.texts] == ['cat', 'cat', 'dog 0.90', 'dog 0.80', 'dog 0.70']
    assert not second.patches and first.get_ylabel() == 'ours' and first.get_ylim() == (30, 0)
