"""A search with a table: what is logged at each epoch, and that a resumed one has the same history."""
import re

import pytest

from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.architecture_history import LOOKUPS
from imtnas_mm.engine.hooks.lookup_hook import read_history
from imtnas_mm.genotype import load_genotype
from imtnas_mm.space_format import format_of
from imtnas_mm.tables.accuracy import TableError

IMPORTS = dict(imports=['imtnas_mm.engine', 'outside.toy_space'], allow_failed_imports=False)
EPOCHS = 3


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    file = tmp_path_factory.mktemp('table') / 'toy.csv'
    kernels = [(first, second) for first in (3, 5) for second in (3, 5)]
    file.write_text('architecture,top1,top5\n' + ''.join(
        f'toy:{first}-{second},{10 * first + second},{50 + first}\n' for first, second in kernels))
    return file


@pytest.fixture(scope='module')
def config(data, table, tmp_path_factory):
    """A is drawn at random and moved fast, so that epochs may differ."""
    fields = tiny.search_fields(data, order=('cls', 'cls2'), max_epochs=EPOCHS, val_begin=EPOCHS)
    fields['model'].update(search_space=tiny.replaced(type='ToySupernet', channels=8))
    fields['optim_wrapper']['architecture']['optimizer']['lr'] = .1
    return tiny.write_config(tmp_path_factory.mktemp('search') / 'toy.py', 'imtnas_demo.py', custom_imports=IMPORTS,
                             table=str(table), **fields)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    tiny.run('train', config, '--work-dir', folder)
    return folder


def test_every_epoch_has_its_line(whole):
    history = read_history(whole)
    assert [(line['epoch'], line['iteration']) for line in history] == [(i, 2 * i) for i in range(EPOCHS + 1)]
    for line in history:
        first, second = map(int, re.findall(r'\d', line['architecture']))
        assert line['accuracies'] == dict(top1=10. * first + second, top5=50. + first) and line['entropy'] > 0
    genotype = load_genotype(whole / 'architecture.json')
    assert history[-1]['architecture'] == format_of('toy').to_string(genotype.architecture)


def test_log_and_scalars(whole):
    history = read_history(whole)
    assert tiny.logged(whole, 'table/top1') == [line['accuracies']['top1'] for line in history]
    steps = [line['step'] for line in tiny.scalars(whole) if 'table/top5' in line]
    assert steps == [line['iteration'] for line in history]
    log = tiny.log_text(whole)
    last = history[-1]
    assert f'Table after epoch {EPOCHS}: top1 {last["accuracies"]["top1"]:.2f}, ' in log
    rank = 1 + sum(value > last['accuracies']['top1'] for value in (33, 35, 53, 55))
    assert f'Table at the end of the search: top1 {last["accuracies"]["top1"]:.2f} (rank {rank} of 4, ' in log


def test_a_resumed_search_has_the_same_history(config, whole, tmp_path):
    """Lines that an interrupted search wrote after the checkpoint are not in it twice."""
    (tmp_path / LOOKUPS).write_text((whole / LOOKUPS).read_text())
    tiny.run('train', config, '--work-dir', tmp_path, '--resume', whole / 'epoch_2.pth')
    assert read_history(tmp_path) == read_history(whole)


@pytest.mark.parametrize('options', [
    ['model.type=RandomSearch'], ['model.type=SingleTask', 'train_cfg.order=[cls2]'], ['model.type=MTLSAO']])
def test_other_methods(config, tmp_path, options, table):
    other = tiny.write_config(tmp_path / 'other.py', config, table=tiny.replaced(
        table=str(table), metrics=['top5'], interval=2))
    tiny.run('train', other, '--work-dir', tmp_path, options=options)
    history = read_history(tmp_path)
    assert [line['epoch'] for line in history] == [0, 2, 3]
    assert all(set(line['accuracies']) == {'top5'} for line in history)
    if options[0].endswith('RandomSearch'):
        assert len({line['architecture'] for line in history}) == 1


def test_what_is_refused(config, data, table, tmp_path):
    other = tiny.write_config(tmp_path / 'other.py', 'imtnas_demo.py', table=str(table), **tiny.search_fields(data))
    with pytest.raises(TableError, match="the architecture is of the space 'mbconv'; it must be of the table's, 'toy'"):
        tiny.run('train', other, '--work-dir', tmp_path / 'other')
    with pytest.raises(TableError, match='none.csv: cannot be read'):
        tiny.run('train', config, '--work-dir', tmp_path / 'none', options=['table=none.csv'])
    for value in ('dict(metrics=[])', 'dict(table="a.csv", epochs=2)', '3'):
        text = tmp_path / 'bad.py'
        text.write_text(f'_base_ = [{str(config)!r}]\n' + f'table = {value}'.replace('dict(', 'dict(_delete_=True, '))
        with pytest.raises(ValueError, match='^table=.*it must be a file, or dict'):
            tiny.run('train', text, '--work-dir', tmp_path / 'bad')
    retraining = tiny.write_config(tmp_path / 'retraining.py', None, table=str(table), **tiny.retrain_fields(data))
    with pytest.raises(ValueError, match='only the architecture of a search is looked up'):
        tiny.run('train', retraining, '--work-dir', tmp_path / 'retraining')
