import importlib.util
import logging
import os
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import save_checkpoint

from imtnas_mm import derive
from imtnas_mm.genotype import load_genotype, published_genotype
from imtnas_mm.spaces.mbconv.layout import searched_layers

ROOT = Path(__file__).parents[2]


def tool(name):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_config(path, **space):
    space = dict(dict(type='MBConvSupernet', layout='fairnas19'), **space)
    path.write_text(f"default_scope = 'imtnas_mm'\nmodel = dict(type='IMTNAS', search_space={space!r})\n")
    return path


def alphas_of(choices, layout='fairnas19'):
    """Logits whose largest is the choice: 2 against 0."""
    return {
        f'architecture.alphas.{layer.name}': torch.tensor([2. if c == choice else 0. for c in layer.choices])
        for layer, choice in zip(searched_layers(layout), choices, strict=True)
    }


def write_checkpoint(path, state, config='model = dict()'):
    """With what mmengine's runner puts beside the weights."""
    hub = dict(log_scalars={'train/loss': HistoryBuffer([1., .5], [1, 1])}, runtime_info=dict(iter=40),
               resumed_keys={})
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam([weight])
    save_checkpoint(
        dict(meta=dict(epoch=2, iter=40, cfg=config, seed=0),
             state_dict=dict(state, **{'encoder_weights.mlp.0.weight': weight}),
             message_hub=hub, optimizer=dict(architecture=optimizer.state_dict()), param_schedulers=[]), str(path))
    return path


@pytest.fixture
def search(tmp_path):
    """Config and checkpoint of a search that found FairNAS-A."""
    choices = published_genotype('fairnas_a').architecture['layers']
    return (write_config(tmp_path / 'search.py'),
            write_checkpoint(tmp_path / 'epoch_2.pth', alphas_of(choices)), tmp_path / 'found' / 'architecture.json')


def run(*args):
    tool('derive').main([str(arg) for arg in args])


def test_derives_writes_and_prints(search, capsys):
    config, checkpoint, out = search
    run(config, checkpoint, '--out', out)
    genotype = load_genotype(out)
    assert genotype.space == 'fairnas19'
    assert genotype.architecture == published_genotype('fairnas_a').architecture
    assert genotype.source == dict(config='search.py', checkpoint='epoch_2.pth', iteration=40)
    e2 = torch.tensor(2.).exp().item()
    assert genotype.importance['layer01'] == pytest.approx([1 / (e2 + 5)] * 4 + [e2 / (e2 + 5), 1 / (e2 + 5)])
    assert genotype.importance['layer02'] == pytest.approx([e2 / (e2 + 6)] + [1 / (e2 + 6)] * 6)
    assert {path.name for path in out.parent.iterdir()} == {'architecture.json', 'architecture.svg', 'architecture.png'}
    # the published figures of FairNAS-A without its head: 320 x 1280 (+ norm) on 7 x 7, 1280 x 1000 (+ bias)
    printed, warned = capsys.readouterr()
    assert 'certainty: the best option leads the second by 638.9% (median of 19 choices)' in printed
    assert 'warning' not in warned
    assert f'parameters: {4_651_352 - 320 * 1280 - 2 * 1280 - 1280 * 1000 - 1000:,} ' in printed
    assert f'MACs: {388_122_848 - 49 * 320 * 1280 - 1280 * 1000:,} (backbone, 224 x 224)' in printed
    assert published_genotype('fairnas_a').summary() in printed
    for path in (out, out.with_suffix('.svg'), out.with_suffix('.png')):
        assert f'written: {path}' in printed


def test_warns_of_an_architecture_no_better_than_chance(search, tmp_path, capsys, monkeypatch):
    config, _, out = search
    alphas = {name: alpha * 1e-3 for name, alpha in alphas_of(['mbconv_3x3_e3'] * 19).items()}
    checkpoint = write_checkpoint(tmp_path / 'early.pth', alphas)
    run(config, checkpoint, '--out', out)
    warning = '19 of 19 choices lead the second best by less than 1%: this architecture is hardly better than a random'
    assert f'derive: warning: {warning}' in capsys.readouterr().err
    assert 'dashed: leads the next option by less than 1%' in out.with_suffix('.svg').read_text()
    logged = []
    monkeypatch.setattr('imtnas_mm.api.print_log', lambda text, logger, level: logged.append((level, text)))
    derive(config, checkpoint)
    (level, text), = logged
    assert level == logging.WARNING and text.startswith(warning)


def figure(printed, name):
    return int(next(line for line in printed.splitlines() if line.startswith(name)).split()[1].replace(',', ''))


def test_shape_and_scale_of_the_config(search, capsys):
    config, checkpoint, out = search
    run(config, checkpoint, '--out', out, '--shape', 224)
    whole = figure(capsys.readouterr().out, 'MACs')
    run(config, checkpoint, '--out', out, '--shape', 448, 224)
    printed = capsys.readouterr().out
    assert figure(printed, 'MACs') == 2 * whole and '448 x 224' in printed
    # stride 1 in the stem at half the size: all maps and so all MACs but the stem's input are the same
    run(config, checkpoint, '--out', out, '--shape', 112, '--cfg-options', 'model.search_space.stem_stride=1')
    assert figure(capsys.readouterr().out, 'MACs') == whole
    assert 'stride 1<' in out.with_suffix('.svg').read_text()
    run(config, checkpoint, '--out', out, '--cfg-options', 'model.search_space.width_mult=2')
    assert '640 ch' in out.with_suffix('.svg').read_text()


def refused(*args):
    with pytest.raises(SystemExit) as stop:
        run(*args)
    assert isinstance(stop.value.code, str)
    return stop.value.code


def test_checkpoint_of_another_layout(search, tmp_path):
    config, _, out = search
    state = alphas_of(['mbconv_3x3_e3'] * 21, 'proxyless21')
    message = refused(config, write_checkpoint(tmp_path / 'other.pth', state), '--out', out)
    assert str(tmp_path / 'other.pth') in message and str(config) in message
    assert 'architecture.alphas.layer20' in message and 'architecture.alphas.layer03' in message
    assert not out.exists()


@pytest.mark.parametrize('change, parts', [
    (lambda state: state.pop('architecture.alphas.layer07'), ['architecture.alphas.layer07', 'lacks']),
    (lambda state: state.clear(), ['architecture.alphas.layer01', 'lacks']),
    (lambda state: state.update({'architecture.alphas.layer02': torch.zeros(6)}),
     ['architecture.alphas.layer02', '(6,)', '(7,)']),
    (lambda state: state.update({'architecture.alphas.normal': torch.zeros(14, 8)}),
     ['architecture.alphas.normal', 'unknown']),
    (lambda state: state['architecture.alphas.layer05'].fill_(float('nan')),
     ['architecture.alphas.layer05', 'nan', 'finite']),
])
def test_error_names_file_and_key(search, tmp_path, change, parts):
    config, _, out = search
    state = alphas_of(['mbconv_3x3_e3'] * 19)
    change(state)
    path = write_checkpoint(tmp_path / 'other.pth', state)
    message = refused(config, path, '--out', out)
    for part in (str(path), *parts):
        assert part in message
    assert not out.exists()


def test_checkpoint_of_another_scale(search, tmp_path, capsys):
    _, _, out = search
    config = write_config(tmp_path / 'small.py', width_mult=.5, strides=(1, 2, 2, 1, 2, 1))
    state = alphas_of(['mbconv_3x3_e3'] * 19)
    path = write_checkpoint(tmp_path / 'small.pth', state, Config.fromfile(config).pretty_text)
    run(config, path, '--out', out)
    assert '3x3e3' in capsys.readouterr().out
    message = refused(config, path, '--cfg-options', 'model.search_space.width_mult=1.0')
    assert f'{path}: model.search_space.width_mult: 0.5 in its search, 1.0 in {config}' in message
    message = refused(write_config(tmp_path / 'wide.py', width_mult=.5), path)
    assert 'model.search_space.strides: (1, 2, 2, 1, 2, 1) in its search, None in' in message


class Malicious:

    def __reduce__(self):
        return os.mkdir, ('ran', )


def test_files_that_are_no_checkpoint(search, tmp_path, monkeypatch):
    config, checkpoint, out = search
    monkeypatch.chdir(tmp_path)
    assert refused(config, 'none.pth') == "checkpoint: 'none.pth' is not a file"
    (tmp_path / 'text.pth').write_text('not a checkpoint')
    assert 'text.pth: cannot be loaded' in refused(config, 'text.pth')
    (tmp_path / 'short.pth').write_bytes(checkpoint.read_bytes()[:5000])
    assert 'short.pth: cannot be loaded' in refused(config, 'short.pth')
    torch.save(dict(state_dict=Malicious()), tmp_path / 'code.pth')
    assert 'code.pth: cannot be loaded' in refused(config, 'code.pth')
    assert not (tmp_path / 'ran').exists()
    torch.save([1, 2], tmp_path / 'list.pth')
    assert 'list.pth: state_dict: is missing' in refused(config, 'list.pth')


def test_config_that_is_no_search(search, tmp_path):
    _, checkpoint, _ = search
    (tmp_path / 'retrain.py').write_text("model = dict(type='RetinaNet')\n")
    assert 'retrain.py: model.search_space: is missing' in refused(tmp_path / 'retrain.py', checkpoint)
    assert 'none.py' in refused(tmp_path / 'none.py', checkpoint)


@pytest.mark.parametrize('flags', [['--shape', '0'], ['--shape', '1', '2', '3'], ['--out', 'found.txt']])
def test_bad_flags(search, flags, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*search[:2], *flags)
    assert stop.value.code == 2 and ' '.join(flags) in capsys.readouterr().err


def test_from_the_command_line(search, monkeypatch):
    config, checkpoint, out = search
    path = str(ROOT / 'tools' / 'derive.py')
    monkeypatch.setattr(sys, 'argv', [path, str(config), str(checkpoint), '--out', str(out)])
    runpy.run_path(path, run_name='__main__')
    assert load_genotype(out).architecture == published_genotype('fairnas_a').architecture
