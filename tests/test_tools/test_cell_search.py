"""Searches on the cell spaces, by the configs in configs/ at a test's scale."""
import contextlib
import json
import shutil
import signal
from types import SimpleNamespace

import pytest
import torch

from helpers import (
    interruptions,  # noqa: F401
    ranks,
    search_state,
)
from helpers import killed_run as killed
from helpers import tiny_run as tiny
from helpers.cifar_files import write_cifar
from helpers.html_page import Read
from helpers.killed_run import killed_at_call
from imtnas_mm.algorithms.shared_choices.branching import Branching
from imtnas_mm.engine.launch.phases import check_phases, check_space, read_phase, run_phases
from imtnas_mm.genotype import load_genotype, published_genotype, save_genotype
from imtnas_mm.spaces import DARTSSupernet, PDARTSSupernet
from imtnas_mm.spaces.cells.layout import SKIP

pytestmark = pytest.mark.slow


def tiny_fields(root, **train_cfg):
    """What makes a config of a cell search tiny; both tasks read the same files."""
    files = dict(_delete_=True, type='imtnas_mm.CIFAR10', data_root=str(root), check_md5=False, split='train',
                 pipeline=[dict(type='PackInputs')])
    loader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=files)
    test_loader = dict(loader, dataset=dict(files, split='test', indices=8))
    narrow = dict(model=dict(data_preprocessor=dict(num_classes=10), head=dict(num_classes=10, in_channels=64)))
    return dict(
        model=dict(
            search_space=dict(channels=4, layers=3, stem_stride=4),
            transfer=dict(num_examples=4, num_augmentations=4, image_size=16),
            tasks=dict(c10=narrow, c100=dict(narrow, backbone=dict(stem_stride=2)))),
        train_dataloader=dict(c10=loader, c100=loader),
        val_dataloader=dict(c10=test_loader, c100=test_loader),
        test_dataloader=dict(c10=test_loader, c100=test_loader),
        train_cfg=dict(dict(max_epochs=2, epoch_length=1, warmup_epochs=1, val_interval=2), **train_cfg),
        default_hooks=dict(logger=dict(interval=1), architecture=dict(interval=2)),
        log_processor=dict(window_size=1))


@pytest.fixture(scope='module')
def cifar(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cifar')
    write_cifar(folder)
    return folder


@pytest.mark.parametrize('space', ['darts', 'pcdarts', 'prdarts'])
def test_search_derive_resume_test(cifar, tmp_path, space):
    fields = tiny_fields(cifar, rounds=1)
    if space == 'pcdarts':
        fields['model']['search_space'].update(channels=4, part=2)
    config = tiny.write_config(tmp_path / 'search.py', f'imtnas_cifar_{space}.py', **fields)
    with contextlib.nullcontext() if space == 'darts' else tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'whole')
    genotype = load_genotype(tmp_path / 'whole' / 'architecture.json')
    assert genotype.space == space
    if space == 'darts':
        assert all((tmp_path / 'whole' / f'architecture.{suffix}').stat().st_size for suffix in ('svg', 'png'))

    tiny.run('derive', config, tmp_path / 'whole' / 'epoch_2.pth', '--out', tmp_path / 'derived.json')
    derived = load_genotype(tmp_path / 'derived.json')
    assert derived.architecture == genotype.architecture
    for name, rows in genotype.importance.items():  # of PR-DARTS they depend on the temperature, and so on the progress
        assert torch.allclose(torch.tensor(derived.importance[name]), torch.tensor(rows), atol=1e-6)

    first = tiny.checkpoint(tmp_path / 'whole' / 'epoch_1.pth')
    with tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'resumed', '--resume', tmp_path / 'whole' / 'epoch_1.pth')
    whole, resumed = (tiny.checkpoint(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'resumed'))
    assert all(torch.equal(tensor, resumed['state_dict'][key]) for key, tensor in whole['state_dict'].items())
    alphas = [key for key in first['state_dict'] if key.startswith('architecture.')]
    assert not torch.equal(first['state_dict'][alphas[0]], whole['state_dict'][alphas[0]])

    tiny.run('test', config, tmp_path / 'whole' / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    actual = tiny.tested(tmp_path / 'test')
    for key in ('c10/accuracy/top1', 'c100/accuracy/top5'):
        assert actual[key] == pytest.approx(tiny.logged(tmp_path / 'whole', key)[-1], abs=1e-3)


@pytest.mark.parametrize('method, group, figure', [
    ('bmtas', 'branching', 'expected_networks'), ('mtlnas', 'fusion', 'fusion_edges')])
def test_search_derive_resume_test_of_what_is_shared(cifar, tmp_path, capsys, method, group, figure):
    fields = tiny_fields(cifar)
    del fields['model']['transfer']
    fields['default_hooks']['architecture'].update(interval=1)
    config = tiny.write_config(tmp_path / 'search.py', f'{method}_cifar_darts.py', **fields)
    with tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'whole')
    actual = load_genotype(tmp_path / 'whole' / 'architecture.json')
    assert (actual.sharing['method'], actual.sharing['tasks']) == (group, ['c10', 'c100'])
    if method == 'bmtas':
        assert list(actual.sharing['blocks']) == ['stem', 'cell1', 'cell2', 'cell3']
    else:
        assert len(actual.sharing['edges']) == tiny.logged(tmp_path / 'whole', 'architecture/fusion_edges')[-1]
    assert len(tiny.logged(tmp_path / 'whole', f'architecture/{figure}')) == 2

    tiny.run('derive', config, tmp_path / 'whole' / 'epoch_2.pth', '--out', tmp_path / 'derived.json', '--shape', '32')
    derived = load_genotype(tmp_path / 'derived.json')
    assert (derived.architecture, derived.sharing) == (actual.architecture, actual.sharing)
    assert 'total parameters: ' in capsys.readouterr().out

    first, whole = (tiny.checkpoint(tmp_path / 'whole' / f'epoch_{n}.pth')['state_dict'] for n in (1, 2))
    key = f'architecture.alphas.{group}'
    assert not torch.equal(first[key], whole[key])
    with tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'resumed', '--resume', tmp_path / 'whole' / 'epoch_1.pth')
    resumed = tiny.checkpoint(tmp_path / 'resumed' / 'epoch_2.pth')['state_dict']
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())

    tiny.run('test', config, tmp_path / 'whole' / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    key = 'c10/accuracy/top1'
    assert tiny.tested(tmp_path / 'test')[key] == pytest.approx(tiny.logged(tmp_path / 'whole', key)[-1], abs=1e-3)


def phase(layers, keep, dropout=.3):
    backbone = dict(backbone=dict(skip_dropout=dropout))
    return dict(keep=keep, config=dict(model=dict(search_space=dict(layers=layers), tasks=dict(c10=backbone))))


@pytest.fixture(scope='module')
def phased(cifar, tmp_path_factory):
    """Config and work dir of three phases."""
    folder = tmp_path_factory.mktemp('phased')
    fields = tiny_fields(cifar, rounds=1)
    fields['model']['hypergradient'] = 'first_order'
    config = tiny.write_config(folder / 'search.py', 'imtnas_cifar_pdarts.py', **fields,
                               phases=[phase(3, 5), phase(4, 3), phase(5, None)])
    with tiny.undrawn():  # but for the picture of all phases
        tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work'


def test_a_dry_run_builds_every_phase(phased, tmp_path, capsys):
    config, _ = phased
    tiny.run('train', config, '--dry-run', '--work-dir', tmp_path / 'work')
    out = capsys.readouterr().out
    assert all(f'dry run: phase {number}: IMTNAS, tasks c10' in out for number in (1, 2, 3))
    wrong = tiny.write_config(tmp_path / 'wrong.py', config, phases=[
        phase(3, 5), dict(keep=None, config=dict(model=dict(search_space=dict(layer=4))))])
    with pytest.raises(SystemExit, match="dry run: .*unexpected keyword argument 'layer'"):
        tiny.run('train', wrong, '--dry-run', '--work-dir', tmp_path / 'work')
    assert not (tmp_path / 'work').exists()


def test_phases_narrow_the_operations(phased):
    _, work = phased
    records = [json.loads((work / f'phase{n}' / 'phase.json').read_text()) for n in (1, 2, 3)]
    for record, number in zip(records, (8, 5, 3), strict=True):
        for kind in ('normal', 'reduce'):
            assert [len(names) for names in record['candidates'][kind]] == [number] * 14
    for before, after in zip(records, records[1:], strict=False):
        assert after['candidates'] == before['kept']
        for kind in ('normal', 'reduce'):
            for row, names, kept in zip(before['importance'][kind], before['candidates'][kind], before['kept'][kind],
                                        strict=True):
                assert set(kept) <= set(names)
                assert sum(weight > 0 for weight in row) == len(names)
    assert records[2]['kept'] is None
    genotype = load_genotype(work / 'architecture.json')
    assert genotype.architecture == load_genotype(work / 'phase3' / 'architecture.json').architecture
    assert sum(name == SKIP for node in genotype.architecture['normal'] for name, _ in node) <= 2
    assert all((work / f'phases.{suffix}').stat().st_size for suffix in ('svg', 'png'))
    page = Read((work / 'report.html').read_text())
    assert page.links_to_others() == [f'phase{number}/report.html' for number in (1, 2, 3)]
    assert page.tags.count('figure') == 2
    for number, layers in ((1, 3), (2, 4), (3, 5)):  # each its own network, logs and checkpoints
        state = tiny.checkpoint(work / f'phase{number}' / 'epoch_2.pth')['meta']['cfg']
        assert f'layers={layers}' in state
        assert (work / f'phase{number}' / 'last_checkpoint').is_file()


def saved(work, phase):
    return search_state.state(work / f'phase{phase}' / 'epoch_2.pth')


def killed_in_phase2(config, work):
    """While its second checkpoint is written, the fourth of all."""
    processes = killed.start(config, work, prepare=lambda: killed_at_call('fsync', 4))
    assert ranks.join(processes) == [-signal.SIGKILL]
    assert (work / 'phase2' / 'last_checkpoint').read_text() == str(work / 'phase2' / 'epoch_1.pth')


def terminated_in_phase2(config, work):
    hook = dict(type='Terminate', folder='phase2', iteration=0)
    config = tiny.write_config(work.parent / 'terminated.py', str(config), custom_hooks=[hook])
    with pytest.raises(SystemExit) as error:
        tiny.run('train', config, '--work-dir', work)
    assert error.value.code == 143
    assert (work / 'phase2' / 'last_checkpoint').read_text() == str(work / 'phase2' / 'iter_1.pth')


@pytest.mark.parametrize('stop', [killed_in_phase2, terminated_in_phase2])
def test_stopped_within_a_phase_and_resumed(phased, tmp_path, stop):
    config, whole = phased
    work = tmp_path / 'work'
    with tiny.undrawn():
        stop(config, work)
        assert (work / 'phase1' / 'phase.json').exists() and not (work / 'phase2' / 'phase.json').exists()
        tiny.run('train', config, '--work-dir', work, '--resume')
    for phase in (1, 2, 3):
        assert search_state.differences(saved(whole, phase), saved(work, phase)) == []
        records = [json.loads((folder / f'phase{phase}' / 'phase.json').read_text()) for folder in (whole, work)]
        assert records[0] == records[1]
        expected, actual = (search_state.losses(folder / f'phase{phase}') for folder in (whole, work))
        assert list(expected) == list(actual) == [1, 2]
        assert all(line == expected[i][0] for i, lines in actual.items() for line in lines)
    assert load_genotype(work / 'architecture.json').architecture == \
        load_genotype(whole / 'architecture.json').architecture


def test_phases_of_an_earlier_search_are_not_taken(phased, tmp_path):
    """A search that starts anew in the same folder forgets them, and a record of other candidates is refused."""
    config, whole = phased
    work = tmp_path / 'work'
    shutil.copytree(whole, work)
    hook = dict(type='Terminate', folder='phase1', iteration=0)
    stopped = tiny.write_config(tmp_path / 'stopped.py', str(config), custom_hooks=[hook])
    with tiny.undrawn(), pytest.raises(SystemExit):
        tiny.run('train', stopped, '--work-dir', work)
    assert not list(work.glob('phase*/phase.json'))
    assert [path.parent.name for path in work.glob('phase*/last_checkpoint')] == ['phase1']
    assert (work / 'phase2' / 'epoch_2.pth').exists()  # checkpoints stay
    shutil.copytree(whole, tmp_path / 'mixed')
    path = tmp_path / 'mixed' / 'phase1' / 'phase.json'
    record = json.loads(path.read_text())
    names, kept = record['candidates']['normal'][0], record['kept']['normal']
    kept[0] = names[:5] if kept[0] != names[:5] else names[3:]
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match='phase2/phase.json: its candidates are not those that phase 1 kept'):
        tiny.run('train', config, '--work-dir', tmp_path / 'mixed', '--resume')


def test_a_phase_is_tested_and_derived_with_its_own_config(phased, tmp_path):
    _, work = phased
    config = work / 'phase2' / 'search.py'
    tiny.run('test', config, work / 'phase2' / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    assert 'c10/accuracy/top1' in tiny.tested(tmp_path / 'test')
    tiny.run('derive', config, work / 'phase2' / 'epoch_2.pth', '--out', tmp_path / 'a.json')
    assert load_genotype(tmp_path / 'a.json').architecture == \
        load_genotype(work / 'phase2' / 'architecture.json').architecture


def test_a_damaged_record_is_named(tmp_path):
    path = tmp_path / 'phase.json'
    assert read_phase(tmp_path) is None
    save_genotype(published_genotype('pdarts'), tmp_path / 'architecture.json')
    for text in ('{', '[]', '{"format": "other"}', '{"format": "imtnas_mm.phase"}',
                 '{"format": "imtnas_mm.phase", "candidates": {"normal": []}, "kept": null}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r'phase.json: cannot be read .*remove it to run the phase again'):
            read_phase(tmp_path)


@pytest.mark.parametrize('phases, message', [
    ([], r'phases=\[\] must be a list'),
    ([dict(keep=3)], r"phases\[0\] has \['keep'\]"),
    ([dict(keep=3, config={})], r'phases\[0\].keep=3 must be None'),
    ([dict(keep=None, config={}), dict(keep=None, config={})], r'phases\[0\].keep=None must be the number'),
])
def test_bad_phases(phases, message):
    from mmengine.config import Config
    with pytest.raises(ValueError, match=message):
        check_phases(Config(dict(phases=phases)))


def test_a_space_without_phases():
    with pytest.raises(ValueError, match='model.search_space.type=DARTSSupernet has no phases; it must be a space with '
                                         'next_candidates, such as PDARTSSupernet'):
        check_space(searching(DARTSSupernet(channels=4, layers=3), 'darts'))
    check_space(searching(PDARTSSupernet(channels=4, layers=3), 'pdarts'))
    with pytest.raises(ValueError, match='phases: the SpaceFormat of darts has no phases'):
        check_space(searching(PDARTSSupernet(channels=4, layers=3), 'darts'))


def test_a_space_with_what_tasks_share_has_the_phases_of_the_space_inside():
    for space, name in ((PDARTSSupernet, 'pdarts'), (DARTSSupernet, 'darts')):
        inside = space(channels=4, layers=3)
        model = SimpleNamespace(space=Branching(inside, ('a', 'b')), first_task=SimpleNamespace(space=inside),
                                derive=lambda name=name: SimpleNamespace(space=name))
        if name == 'pdarts':
            check_space(model)
        else:
            with pytest.raises(ValueError, match='model.search_space.type=DARTSSupernet has no phases'):
                check_space(model)


def searching(space, name):
    """A search of this space whose architectures have the format of that name."""
    return SimpleNamespace(space=space, first_task=SimpleNamespace(space=space),
                           derive=lambda: SimpleNamespace(space=name))


def test_phases_need_a_work_dir_to_resume_from(tmp_path):
    from mmengine.config import Config
    cfg = Config(dict(phases=[dict(keep=None, config={})], load_from='a.pth', work_dir=str(tmp_path)))
    with pytest.raises(ValueError, match="load_from='a.pth'.*--resume without a path"):
        run_phases(cfg)
