"""The measurements of a GPU run without one, and read what a profiler writes."""
import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))
import gpu  # noqa: E402
import paper_searches  # noqa: E402


def event(cat, name, ts, dur=1):
    return dict(ph='X', cat=cat, name=name, ts=ts, dur=dur)


def test_union():
    assert gpu.union([]) == 0
    assert gpu.union([(5, 6), (0, 2), (1, 3), (1, 2)]) == 4


def test_a_trace_is_read():
    events = [
        event('kernel', 'a', 0, 10), event('kernel', 'b', 5, 10), event('kernel', 'c', 100, 5),
        event('gpu_memcpy', 'Memcpy HtoD (Pinned -> Device)', 50), event('gpu_memcpy', 'Memcpy DtoD (...)', 60),
        event('cuda_runtime', 'cudaLaunchKernel', 1), event('cuda_runtime', 'cudaLaunchKernelExC', 2),
        event('cuda_driver', 'cuLaunchKernelEx', 3), event('cuda_runtime', 'cudaGraphLaunch', 4),
        event('cuda_runtime', 'cudaStreamSynchronize', 5), event('cuda_runtime', 'cudaDeviceSynchronize', 6),
        event('cpu_op', 'aten::add', 0, 1000), dict(ph='f', cat='ac2g', name='ac2g', ts=0)]
    assert gpu.read_trace(events) == dict(
        busy_seconds=pytest.approx(20e-6), kernels=3, launches=3, graph_launches=1, synchronisations=1, to_host=0,
        to_device=1, within_device=1)


def test_a_profile_is_read():
    seen = gpu.profiled(lambda: torch.ones(3) + 1, gpu=False)
    assert seen['kernels'] == seen['launches'] == 0


def test_figures_are_kept_as_they_come(tmp_path, capsys, monkeypatch):

    def half(place, name):
        yield {name: 1.}
        raise ValueError('broken')

    monkeypatch.setattr(gpu, 'PARTS', dict(
        first=gpu.Part(half), second=gpu.Part(lambda place, name: iter([{name: 2.}]))))
    failed = gpu.run(['first', 'second'], gpu.Place('cpu', True, 1), gpu.Figures(tmp_path / 'figures.json'))
    assert failed == ['first']
    assert json.loads((tmp_path / 'figures.json').read_text()) == dict(first=1., second=2.)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ['first 1', 'second 2'] and 'ValueError: broken' in printed.err


def test_too_large(monkeypatch):

    def large(place, name):
        raise torch.OutOfMemoryError('full')
        yield

    monkeypatch.setattr(gpu, 'PARTS', dict(may=gpu.Part(large, may_be_large=True), must=gpu.Part(large)))
    assert gpu.run(['may', 'must'], gpu.Place('cpu', True, 1), gpu.Figures(None)) == ['must']


def test_a_live_threshold():
    teachers = torch.tensor([[0., 1., 5.], [2., 3., 9.]])
    students = torch.tensor([[4., 3., 6.], [4., 8., 9.]])
    # active are 2 and 0 pairs at 1.5, 2 and 1 at 2.5, 1 and 2 at 3.5
    assert paper_searches.live_threshold(teachers, students) == 2.5


@pytest.mark.slow
def test_searches_run(capsys):
    name = 'pcdarts_exact_replay'  # of which a CPU replays nothing
    assert gpu.main(['--cpu', '--only', name]) == 0
    printed = capsys.readouterr().out
    assert f'{name}_seconds ' in printed and f'{name}_active 1' in printed
    assert f'{name}_gib, _reserved_gib, _busy and what else the profiler sees: needs a GPU' in printed


def test_operators_in_both_layouts_run():
    import gpu_layouts
    results = {name: function() for name, function in gpu_layouts.operators(2, 16, 8, 'cpu')}
    assert len(results) == 40
    forward = results['pw4_products_fwd']
    expected = results['pw4_cl_fwd'].permute(0, 2, 3, 1).reshape(-1, 4, 4).transpose(0, 1)
    torch.testing.assert_close(forward, expected)
