"""What is read of a work dir: of a resumed search each iteration once, warnings once, nothing of a run before."""
import json
import runpy
import shutil
from pathlib import Path

import matplotlib
import mmdet
import pytest
from mmpretrain.utils import load_json_log

from helpers import search_folder as hand
from imtnas_mm.search_report.work_dir import analyzed_lines, analyzed_text, log_records, read_search


def test_a_resumed_search(folder):
    search = read_search(folder)
    assert [line['iter'] for line in search.training if 'time' in line] == [2, 4, 6, 8, 10, 12]
    assert all(line.get('r1.c10/loss', 0) < 5 for line in search.training)  # not the lines after the checkpoint
    assert list(search.validations) == [1, 2, 3] and len(search.lookups) == 4 and len(search.history) == 7
    assert [(one.level, one.count, one.text) for one in search.complaints] == [
        ('WARNING', 2, hand.WARNING), ('ERROR', 1, 'two\nlines')]
    assert search.said == ['Architecture after epoch 3: |a|', 'Table at the end of the search: top1 56.00']
    assert search.setting('train_cfg', 'max_epochs') == 3 and search.setting('model', 'none') is None


def test_a_search_that_starts_anew_in_the_folder(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    hand.write_run(tmp_path, '20260103_000000', [hand.training(2)], hand.record('INFO', 'a start'))
    search = read_search(tmp_path)
    assert [line['iter'] for line in search.training] == [2] and search.validations == {} and not search.complaints


def test_an_interrupted_line_and_a_damaged_one(tmp_path):
    hand.write_run(tmp_path, hand.FIRST, [hand.training(2)], '', torn='{"iter": 4')
    assert len(read_search(tmp_path).training) == 1
    scalars = tmp_path / hand.FIRST / 'vis_data' / 'scalars.json'
    scalars.write_text('{"iter": 4\n{"iter": 5}\n')
    with pytest.raises(ValueError, match=r'scalars.json: line 1: \'\{"iter": 4\'; it must be a JSON object'):
        read_search(tmp_path)


def test_other_folders(tmp_path):
    with pytest.raises(ValueError, match='no run has a vis_data/scalars.json; it must be the work dir of a search'):
        read_search(tmp_path)
    (tmp_path / 'phase1').mkdir()
    with pytest.raises(ValueError, match='its phases have work dirs of their own: phase1'):
        read_search(tmp_path)


def test_records_of_several_lines():
    text = hand.record('INFO', 'a') + 'b\n' + hand.record('WARNING', 'c')
    assert [record[1:] for record in log_records('before\n' + text)] == [('INFO', 'a\nb'), ('WARNING', 'c')]


@pytest.fixture(scope='module')
def analyzed(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp('analyzed') / 'log.json'
    path.write_text(analyzed_text(read_search(folder)))
    return path


def test_analyzed_names_stay_apart(folder, analyzed):
    """As the readers of mmdet's and of mmpretrain's analyze_logs take them."""
    lines = [line for line in analyzed_lines(read_search(folder)) if 'iter' in line]
    losses = [line['r2.c10.loss'] for line in lines]
    pretrain = load_json_log(str(analyzed))
    assert [line['r2.c10.loss'] for line in pretrain['train']] == losses and len(losses) == 6
    assert [line['val/c10.accuracy.top1'] for line in pretrain['val']] == [21., 22., 23.]
    assert [line['step'] for line in pretrain['train']] == [2, 4, 6, 8, 10, 12]
    program = runpy.run_path(str(Path(mmdet.__file__).parent / '.mim/tools/analysis_tools/analyze_logs.py'))
    by_epoch, = program['load_json_logs']([str(analyzed)])
    assert sum((of['r2.c10.loss'] for of in by_epoch.values()), []) == losses
    assert sum((of['r1.c100.loss'] for of in by_epoch.values()), []) == [line['r1.c100.loss'] for line in lines]
    assert sum((of['c10.accuracy.top1'] for of in by_epoch.values()), []) == [21., 22., 23.]


@pytest.mark.parametrize('library, keys', [
    ('mmdet', ['r2.c10.loss', 'architecture.entropy', '--style', 'default']),  # its 'dark' is no style of matplotlib
    ('mmpretrain', ['r1.c100.loss', 'val/c10.accuracy.top1'])])
def test_analyze_logs_draws_them(analyzed, tmp_path, library, keys, monkeypatch):
    program = f'{library}/.mim/tools/analysis_tools/analyze_logs.py'
    picture = tmp_path / 'curves.png'
    monkeypatch.setattr('sys.argv', ['analyze_logs.py', 'plot_curve', str(analyzed), '--keys', *keys, '--out',
                                     str(picture)])
    with matplotlib.rc_context():
        matplotlib.use('agg')
        runpy.run_path(str(Path(mmdet.__file__).parents[1] / program), run_name='__main__')
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_each_analyzed_line_is_json_of_the_log(folder, analyzed):
    logged = {json.dumps(value) for line in read_search(folder).training for value in line.values()}
    for line in map(json.loads, analyzed.read_text().splitlines()):
        if 'iter' in line:
            assert {json.dumps(value) for value in line.values()} <= logged | {'NaN'}
