"""Published records: what they hold, the document that they give, and that both are the same to the byte."""
import json
import re

import pytest

from helpers import tiny_run as tiny
from helpers.grid_space import write_table
from helpers.package_experiments import planned
from helpers.stub_tools import SEARCH, compare, write, write_lookups, write_tools
from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.evidence import provenance, read_exported

RECORDS = sorted((tiny.ROOT / 'docs' / 'evidence' / 'records').glob('*.json'))
TEMPLATE = '# Evidence\n\nA claim.\n\n<!-- report: experiment -->\n\nA verdict.\n'
FIELDS = dict(
    columns=[dict(name='accuracy', evaluation='nb', metric='c10'),
             dict(name='search time (s)', metric='search_time')],
    rows=[dict(name='searched', search=SEARCH),
          dict(name='drawn', sampler=dict(type='RandomQueries', queries=5, metric='c10')),
          dict(name='best', architecture='grid_conv')],
    ours='searched', statistics=['accuracy'], curves=['accuracy'],
    degenerate=dict(evaluation='nb', metric='c10', below=20))


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """(folder, experiment) of a comparison that has run, in ``out`` of the folder."""
    folder = tmp_path_factory.mktemp('evidence')
    tools = write_tools(folder / 'tools')
    for seed in (0, 1):
        last = ('skip', 'conv')[seed]
        write_lookups(tools, seed, 'grid:none-none-none-none', f'grid:conv-skip-none-{last}')
    table = str(write_table(folder / 'table.csv.gz'))
    experiment = write(folder, evaluations=dict(nb=dict(table=table)), title='An experiment', **FIELDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('CUDA_VISIBLE_DEVICES', '')
        compare(experiment, folder / 'out', tools)
    (folder / 'table.csv.gz').unlink()  # a report needs no table
    return folder, experiment


def report(*args):
    tiny.tool('report').main([str(arg) for arg in args])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_a_report_of_published_records_is_that_of_the_runs(finished, tmp_path):
    """Table, statistics and pictures, byte by byte; and exporting again changes nothing."""
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    report(experiment, '--records', tmp_path / 'records', '--out', tmp_path / 'b')
    first = contents(tmp_path / 'a')
    assert first == contents(tmp_path / 'b')
    assert list(first) == [f'experiment{end}' for end in ('.csv', '.html', '.md', '_curves.png', '_curves.svg')]
    before = contents(tmp_path / 'records')
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    assert contents(tmp_path / 'records') == before and list(before) == ['experiment.json']
    assert contents(tmp_path / 'a') == first


def test_experiments_share_published_runs(finished, tmp_path):
    """Another experiment has one of the rows under another name, and no run of its own."""
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    other = tmp_path / 'other.py'
    other.write_text(experiment.read_text().replace("'searched'", "'again'"))
    report(other, '--work-dir', tmp_path / 'none', '--out', tmp_path / 'b', '--export', tmp_path / 'records')
    runs = {name: json.loads((tmp_path / 'records' / f'{name}.json').read_text())['runs']
            for name in (experiment.stem, 'other')}
    assert {run['row'] for run in runs['other']} == {'again', 'drawn', 'best'}
    renamed = [dict(run, row=run['row'].replace('again', 'searched')) for run in runs['other']]
    assert renamed == runs[experiment.stem] and len(renamed) == 6


def test_rows_that_share_a_run(tmp_path):
    """It is published once, and both rows have it."""
    tools = write_tools(tmp_path / 'tools')
    for seed in (0, 1):
        write_lookups(tools, seed, 'grid:none-none-none-none', 'grid:conv-skip-none-conv')
    twice = [dict(name=name, search=SEARCH) for name in ('first', 'second')]
    experiment = write(tmp_path, **dict(FIELDS, rows=twice, ours='first'), title='Twice', evaluations=dict(
        nb=dict(table=str(write_table(tmp_path / 'table.csv.gz')))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('CUDA_VISIBLE_DEVICES', '')
        compare(experiment, tmp_path / 'out', tools)
    for _ in range(2):
        report(experiment, '--work-dir', tmp_path / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    runs = json.loads((tmp_path / 'records' / 'experiment.json').read_text())['runs']
    assert [(run['row'], run['seed']) for run in runs] == [('first', 0), ('first', 1)]
    report(experiment, '--records', tmp_path / 'records', '--out', tmp_path / 'b')
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    text = (tmp_path / 'b' / 'experiment.md').read_text()
    assert '| first | 2 |' in text and '| second | 2 |' in text
    planned = plan_runs(load_experiment(experiment))
    published, other = read_exported(tmp_path / 'records', load_experiment(experiment), planned)
    assert provenance(planned, published, other).startswith('2 of 2 runs are finished, seeds 0, 1.')


def test_work_dirs_add_up(finished, tmp_path):
    """One has the runs of seed 0 and the other those of seed 1; a run that both have is the last one's."""
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    whole = (tmp_path / 'records' / 'experiment.json').read_text()
    head, *lines, end = whole.splitlines()
    parts = [[line.rstrip(',') for line in lines if f'"seed":{seed},' in line] for seed in (0, 1)]
    assert all(parts)
    kept = [part.replace('"seconds":', '"seconds":1') for part in parts[0]]
    (tmp_path / 'records' / 'experiment.json').write_text('\n'.join([head, ',\n'.join(kept), end, '']))
    for path in (folder / 'out').rglob('record.json'):
        if json.loads(path.read_text())['seed'] == 1:
            (tmp_path / 'second' / path.parent.relative_to(folder / 'out')).mkdir(parents=True)
            (tmp_path / 'second' / path.relative_to(folder / 'out')).write_text(path.read_text())
    report(experiment, '--work-dir', tmp_path / 'second', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    found = (tmp_path / 'records' / 'experiment.json').read_text().splitlines()
    assert sorted(line.rstrip(',') for line in found[1:-1]) == sorted([*kept, *parts[1]])
    for text, message in (('[', 'experiment.json: is not JSON'),
                          (whole.replace('"identity":"', '"identity":"x'), 'records were made by options that the '
                           'configs no longer have, and an export would mix them with others; remove the file'),
                          (whole.replace('"seed":1', '"seed":7'), 'no such row, task and seed; remove the line')):
        (tmp_path / 'records' / 'experiment.json').write_text(text)
        with pytest.raises(SystemExit, match=message):
            report(experiment, '--work-dir', tmp_path / 'second', '--out', tmp_path / 'c', '--export',
                   tmp_path / 'records')
        assert (tmp_path / 'records' / 'experiment.json').read_text() == text
        assert not (tmp_path / 'c').exists()


def test_what_is_published(finished, tmp_path):
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path, '--export', tmp_path)
    lines = (tmp_path / 'experiment.json').read_text().splitlines()
    assert len(lines) == 2 + 6 and max(map(len, lines)) < 3000  # a line per run
    runs = json.loads('\n'.join(lines))['runs']
    assert [(run['row'], run['seed']) for run in runs] == [
        (row, seed) for seed in (0, 1) for row in ('searched', 'drawn', 'best')]
    assert set(runs[0]['results']) == {'architecture', 'history', 'nb', 'search'}
    assert 'machine' not in runs[0]['steps']['search'] and 'options' not in runs[0]


def document(folder, experiment, tmp_path, *args):
    tiny.tool('evidence').main([str(arg) for arg in (
        '--template', tmp_path / 'template.md', '--records', tmp_path / 'records', '--experiments', experiment.parent,
        '--out', tmp_path / 'evidence.md', '--pictures', tmp_path / 'images', *args)])


def test_the_document(finished, tmp_path):
    folder, experiment = finished
    (tmp_path / 'template.md').write_text(TEMPLATE)
    document(folder, experiment, tmp_path)
    assert (tmp_path / 'evidence.md').read_text() == TEMPLATE.replace(
        '<!-- report: experiment -->', 'No run is recorded yet.')
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    with pytest.raises(SystemExit, match='evidence.md is not what'):
        document(folder, experiment, tmp_path, '--check')
    document(folder, experiment, tmp_path)
    text = (tmp_path / 'evidence.md').read_text()
    assert text.startswith('# Evidence\n\nA claim.\n\n6 of 6 runs are finished, seeds 0, 1. A search took ')
    assert '| searched | 2 | 0 of 2 | ' in text and '\n### accuracy\n' in text and text.endswith('\n\nA verdict.\n')
    assert '![An experiment](images/experiment_curves.png)' in text and 'no longer have' not in text
    pictures = contents(tmp_path / 'images')
    document(folder, experiment, tmp_path, '--check')
    document(folder, experiment, tmp_path)
    assert (tmp_path / 'evidence.md').read_text() == text and contents(tmp_path / 'images') == pictures


def test_records_of_configs_that_have_changed(finished, tmp_path):
    """They are still reported, and counted."""
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    changed = tmp_path / 'changed'
    changed.mkdir()
    other = tiny.write_config(changed / 'experiment.py', experiment, search_options={'train_cfg.max_epochs': 9})
    (tmp_path / 'template.md').write_text(TEMPLATE)
    document(folder, other, tmp_path)
    assert '2 of them were made by options that the configs no longer have.' in (tmp_path / 'evidence.md').read_text()


@pytest.mark.parametrize('change, told', [
    (lambda text: text[:50], 'is not JSON'),
    (lambda text: text.replace('"version": 1', '"version": 2'), 'it must have format'),
    (lambda text: text.replace('"experiment": "experiment"', '"experiment": "another"'), 'it must have format'),
    (lambda text: text.replace('"row":"drawn"', '"row":"lost"', 1),
     r"runs\[1\]: \('lost', None, 0\); experiment has no"),
    (lambda text: re.sub('"row":"best","task":null,"seed":0', '"row":"drawn","task":null,"seed":0', text),
     r"runs\[2\]: \('drawn', None, 0\): is there twice"),
])
def test_damaged_files(finished, tmp_path, change, told):
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path)
    file = tmp_path / 'experiment.json'
    file.write_text(change(file.read_text()))
    with pytest.raises(SystemExit, match=f'report: .*experiment.json: {told}'):
        report(experiment, '--records', tmp_path, '--out', tmp_path / 'a')


def test_two_tables_of_one_name_are_not_mixed(finished, tmp_path):
    folder, experiment = finished
    report(experiment, '--work-dir', folder / 'out', '--out', tmp_path / 'a', '--export', tmp_path)
    file = tmp_path / 'experiment.json'
    data = json.loads(file.read_text())
    data['runs'][-1]['results']['nb']['table']['sha256'] = 'f00'
    file.write_text(json.dumps(data))
    with pytest.raises(SystemExit, match='best, seed 1: nb: .*table.csv.gz has the sha256 f00 in this record and'):
        report(experiment, '--records', tmp_path, '--out', tmp_path / 'a')


def test_a_place_of_no_experiment(finished, tmp_path):
    folder, experiment = finished
    (tmp_path / 'template.md').write_text('<!-- report: nothing -->\n')
    with pytest.raises(SystemExit, match='nothing.py: is not a file; it must be an experiment'):
        document(folder, experiment, tmp_path)


@pytest.mark.parametrize('path', RECORDS, ids=lambda path: path.stem)
def test_records_of_the_package_are_of_its_configs(path):
    """Else their runs would be made again, and could not be published beside the others."""
    published = {run['identity'] for run in json.loads(path.read_text())['runs']}
    assert published and published <= {run.identity for run in planned(path.stem, seeds=20)[1]}


def test_the_document_of_the_package(monkeypatch):
    """docs/evidence.md is what its template and the published records give."""
    monkeypatch.chdir(tiny.ROOT)
    tiny.tool('evidence').main(['--check'])
