"""What a search keeps of A over time, that a resumed one keeps the same, what backends get, and the page it leaves."""
import json
import math
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.visualization import WandbVisBackend
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from helpers import tiny_run as tiny
from imtnas_mm.architecture_history import HISTORY, append_history, read_architecture_history, start_history
from imtnas_mm.engine.hooks import HistoryHook
from imtnas_mm.genotype import load_genotype

EPOCHS, LENGTH = 2, 3


@pytest.fixture(scope='module')
def config(data, tmp_path_factory):
    fields = tiny.search_fields(data, order=('cls', ), rounds=1, max_epochs=EPOCHS, epoch_length=LENGTH)
    fields['default_hooks'] = dict(logger=dict(interval=2), architecture=dict(interval=10))
    fields['optim_wrapper']['architecture']['optimizer']['lr'] = .1
    return tiny.write_config(tmp_path_factory.mktemp('search') / 'tiny.py', 'imtnas_demo.py', **fields)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    tiny.run('train', config, '--work-dir', folder)
    return folder


def test_lines_at_the_log_interval_and_at_the_end_of_epochs(whole):
    history = read_architecture_history(whole)
    assert [(line['epoch'], line['iteration']) for line in history] == [(0, 0), (1, 2), (1, 3), (2, 5), (2, 6)]
    genotype, saved = load_genotype(whole / 'architecture.json'), tiny.checkpoint(whole / f'epoch_{EPOCHS}.pth')
    for name, weights in genotype.importance.items():
        last = [line['importance'][name] for line in history]
        assert last[-1] == pytest.approx(weights, rel=1e-5) and last[-1] != last[0]
        alphas = torch.tensor(history[-1]['alphas'][name])
        torch.testing.assert_close(alphas, saved['state_dict'][f'architecture.alphas.{name}'], rtol=1e-5, atol=1e-9)
        torch.testing.assert_close(alphas.softmax(-1), torch.tensor(weights), rtol=1e-4, atol=1e-6)


def test_the_log_has_the_leads(whole):
    lines = [line for line in tiny.scalars(whole) if 'architecture/lead' in line]
    history = {line['iteration']: line['importance'] for line in read_architecture_history(whole)}
    assert [line['iter'] for line in lines] == [2, 5]  # of the logger
    for line in lines:
        ordered = [sorted(weights)[::-1] for weights in history[line['iter']].values()]
        leads = sorted(100 * (row[0] / row[1] - 1) for row in ordered)
        assert line['architecture/lead'] == pytest.approx(np.median(leads), rel=1e-2, abs=1e-2)
        assert line['architecture/unsure'] == sum(lead < 100 * math.expm1(.01) for lead in leads)


def test_a_resumed_search_has_the_same_history(config, whole, tmp_path):
    (tmp_path / HISTORY).write_text((whole / HISTORY).read_text() + '{"torn')
    tiny.run('train', config, '--work-dir', tmp_path, '--resume', whole / 'epoch_1.pth')
    assert (tmp_path / HISTORY).read_text() == (whole / HISTORY).read_text()


def test_tensorboard_has_histograms_and_pictures(whole):
    events = EventAccumulator(str(next(whole.glob('*/vis_data'))), size_guidance=dict(histograms=0, images=0)).Reload()
    names = set(load_genotype(whole / 'architecture.json').importance)
    assert {f'alphas/{name}' for name in names} == set(events.Tags()['histograms'])
    first, *_, last = events.Histograms(f'alphas/{min(names)}')
    alphas = read_architecture_history(whole)[-1]['alphas'][min(names)]
    assert (first.step, last.step) == (0, EPOCHS * LENGTH) and last.histogram_value.num == len(alphas)
    assert last.histogram_value.max == pytest.approx(max(alphas), rel=1e-5)
    assert [image.step for image in events.Images('architecture')] == [3, 6]


def test_the_page_is_that_of_the_tool(whole, tmp_path, capsys):
    text = (whole / 'report.html').read_text()
    assert len(text.encode()) < 3e6
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)  # it opens offline
    tiny.tool('report_search').main([str(whole), '--out', str(tmp_path / 'a.html'), '--analyze-logs',
                                     str(tmp_path / 'a.json')])
    assert capsys.readouterr().out.split() == [str(tmp_path / 'a.html'), str(tmp_path / 'a.json')]
    assert (tmp_path / 'a.html').read_text().count('<figure') == text.count('<figure') > 10
    assert 'Loss of cls' in text and 'How the choices sharpened' in text and 'layer 7' in text
    assert all(json.loads(line) for line in (tmp_path / 'a.json').read_text().splitlines())
    with pytest.raises(SystemExit, match='report_search: .*no run has a vis_data/scalars.json'):
        tiny.tool('report_search').main([str(tmp_path)])


def test_weights_and_biases_get_histograms(tmp_path, monkeypatch):
    logged = []
    wandb = SimpleNamespace(init=lambda **options: None, Histogram=np.asarray,
                            log=lambda figures, commit: logged.append((figures, commit)))
    monkeypatch.setitem(sys.modules, 'wandb', wandb)
    backend = WandbVisBackend(save_dir=str(tmp_path))
    alphas = torch.tensor([[1., 2.], [3., 4.]])
    runner = SimpleNamespace(
        work_dir=tmp_path, visualizer=SimpleNamespace(_vis_backends=dict(mine=backend)),
        model=SimpleNamespace(architecture=SimpleNamespace(named_alphas=lambda: dict(cell=alphas)),
                              derive=lambda: SimpleNamespace(importance=None)))
    HistoryHook().keep(runner, 1, 5)
    (figures, commit), = logged
    assert figures['alphas/cell'].tolist() == [1., 2., 3., 4.] and not commit
    assert read_architecture_history(tmp_path) == [dict(epoch=1, iteration=5, alphas=dict(cell=alphas.tolist()))]


def test_faults_name_the_file(tmp_path):
    with pytest.raises(OSError, match=HISTORY):
        append_history(tmp_path / 'none', dict(iteration=1))
    (tmp_path / HISTORY).write_text('[1]\n{"iteration": 2}\n')
    with pytest.raises(ValueError, match=rf"{HISTORY}: line 1: '\[1\]'; it must be a JSON object"):
        start_history(tmp_path, 3)
