"""A loss, gradient or weight that is NaN or infinite stops a run, or leaves an iteration out: on all ranks alike."""
import copy
import dataclasses
import math
import multiprocessing
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmpretrain.models import ImageClassifier

from helpers import small_search as small
from helpers import tiny_run as tiny
from helpers.search_state import differences, losses, state
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.algorithms import IMTNAS
from imtnas_mm.engine import NonFiniteError
from imtnas_mm.engine.loops.iteration_guard import SKIPPED, IterationGuard
from imtnas_mm.finite import all_finite, check_finite

FIXED = dict(order=('cls', 'cls2'), hypergradient='first_order', virtual_rates=dict(encoder=.05, head=.02))


def nan_gradient(tensors):
    """0, with the derivative NaN by each."""
    return sum((tensor * 0).sum() for tensor in tensors).sqrt()


def poison_task(call, change):
    """Spoils one of the calls of a task's loss: of the stages by rounds, then of the architecture's step."""
    def apply(model, task):
        loss, calls = model.tasks[task].loss, iter(range(99))

        def spoilt(encoder, gates, head, data):
            value, figures = loss(encoder, gates, head, data)
            return (change(value, encoder, gates, head) if next(calls) == call else value), figures
        model.tasks[task].loss = spoilt
        return lambda: delattr(model.tasks[task], 'loss')
    return apply


def poison_transfer(change):
    def apply(model, _):
        student_side = model.transfer.student_side

        def spoilt(encoder, views, teaching):
            actual = student_side(encoder, views, teaching)
            return dataclasses.replace(actual, loss=change(actual.loss, encoder.weights))
        model.transfer.student_side = spoilt
        return lambda: delattr(model.transfer, 'student_side')
    return apply


def poison_rate(model, _):
    """The rate of the heads' optimiser, so that its step overflows."""
    model.overflow = True
    return lambda: delattr(model, 'overflow')


def value(bad):
    return lambda loss, *_: loss * bad


BAD_W = lambda loss, w, *_: loss + 1 + nan_gradient([w])  # noqa: E731  + 1: a transfer without a loss has no gradient
BAD_H = lambda loss, w, gates, head: loss + nan_gradient(head.values())  # noqa: E731
BAD_A = lambda loss, w, gates, head: loss + nan_gradient(gates.values())  # noqa: E731
FAULTS = [  # what is spoilt, of which task, what the error says
    (poison_task(0, value(math.nan)), 'cls', "task 'cls', round 1: the task loss is nan"),
    (poison_task(1, value(math.inf)), 'cls2', "task 'cls2', round 2: the task loss is inf"),
    (poison_task(0, BAD_W), 'cls', "task 'cls', round 1: the gradient of W is nan in"),
    (poison_task(0, BAD_H), 'cls2', "task 'cls2', round 1: the gradient of H is nan in"),
    (poison_transfer(lambda loss, w: loss * math.nan), None, "task 'cls2', round 1: the transfer loss is nan"),
    (poison_transfer(BAD_W), None, "task 'cls2', round 1: the gradient of W is nan in"),
    (poison_task(2, value(math.nan)), 'cls2', "task 'cls2', round 2: the validation loss is nan"),
    (poison_task(2, BAD_A), 'cls', "the architecture's step: the gradient of layer"),
    (poison_rate, None, 'after its steps: heads.'),
]
IDS = [message.split(':')[-1].strip() + f' {i}' for i, (*_, message) in enumerate(FAULTS)]


class Search:
    """A search of :mod:`helpers.small_search`, an iteration at a time, with the batches of each."""

    def __init__(self, choice, name, **options):
        self.model = small.build(**dict(FIXED, **options))
        self.optimisers = small.optimisers(self.model)
        self.guard = IterationGuard(choice)
        self.runner = SimpleNamespace(
            model=self.model, optim_wrapper=self.optimisers, iter=0, message_hub=MessageHub.get_instance(name))

    def iteration(self, number):
        self.runner.iter = number
        torch.manual_seed(number)
        batches, val = small.stage_batches(self.model), small.val_batches(self.model)
        head = self.optimisers['head'].param_groups[0]
        rate, head['lr'] = head['lr'], math.inf if hasattr(self.model, 'overflow') else head['lr']
        try:
            return self.guard(self.runner, lambda: small.iterate(self.model, self.optimisers, number, batches, val))
        finally:
            head = self.optimisers['head'].param_groups[0]
            head['lr'] = rate

    def load(self, state):
        self.model.load_state_dict(state['model'])
        self.optimisers.load_state_dict(copy.deepcopy(state['optimisers']))
        self.optimisers.zero_grad()

    def state(self):
        return copy.deepcopy(dict(model=dict(self.model.state_dict()), optimisers=self.optimisers.state_dict()))


@pytest.fixture(scope='module')
def search():
    """One that has done an iteration, and the next with the iteration number 2."""
    search = Search('stop', 'faults')
    assert SKIPPED not in search.iteration(0)
    before = search.state()
    figures = search.iteration(2)
    after = search.state()
    return search, before, figures, after


@pytest.mark.parametrize('poison, task, message', FAULTS, ids=IDS)
def test_stops_and_says_where_or_undoes_the_iteration(search, poison, task, message):
    search, before, *_ = search
    search.load(before)
    search.guard = IterationGuard('stop')
    mend = poison(search.model, task)
    with pytest.raises(NonFiniteError) as error:
        search.iteration(1)
    assert str(error.value).startswith(f'iteration 2, {message}')
    assert "train_cfg.non_finite='skip'" in str(error.value)
    mend()
    search.load(before)
    search.guard = IterationGuard('skip')
    search.runner.message_hub.update_info(SKIPPED, 3)
    mend = poison(search.model, task)
    assert search.iteration(1) == {SKIPPED: 4}
    mend()
    assert differences(before, search.state()) == []
    assert all(p.grad is None for p in search.model.parameters())


def test_goes_on_as_if_the_iteration_had_not_been(search):
    search, before, figures, after = search
    search.load(before)
    search.guard = IterationGuard('skip')
    mend = poison_task(2, value(math.nan))(search.model, 'cls2')
    search.iteration(1)
    mend()
    actual = search.iteration(2)
    actual.pop(SKIPPED)
    assert differences(figures, actual) == [] and differences(after, search.state()) == []


BATCH_NORM_HEAD = copy.deepcopy(small.TASKS)
BATCH_NORM_HEAD['cls']['model']['head']['norm_cfg'] = dict(type='BN')


@pytest.mark.parametrize('options', [
    dict(hypernetwork_step='stage'), dict(encoder_weights=dict(type='StoredWeights')), dict(arch_steps=2), 'statistics'
], ids=str)
def test_skips_what_was_stepped_before_the_fault(options, request, monkeypatch):
    """Weights by stage, A by its first step of two, statistics of a head, the scales of validation losses."""
    if options == 'statistics':
        monkeypatch.setattr(small, 'TASKS', BATCH_NORM_HEAD)
        options = {}
    search = Search('skip', request.node.name, order=('cls', ), rounds=1, **options)
    search.iteration(0)
    before = search.state()
    mend = poison_task(3 if 'arch_steps' in options else 1, value(math.nan))(search.model, 'cls')
    assert search.iteration(1) == {SKIPPED: 1}
    assert differences(before, search.state()) == []
    mend()
    assert search.iteration(1)[SKIPPED] == 1
    assert differences(before, search.state()) != []


def test_unknown_choice():
    with pytest.raises(ValueError, match=r"train_cfg.non_finite='ignore' is not one of \('stop', 'skip'\)"):
        IterationGuard('ignore')


def test_finite_numbers_whose_norm_overflows():
    assert all_finite([torch.full((4, ), 3e38), torch.zeros(0), torch.tensor(1.)])
    assert not all_finite([torch.full((4, ), 3e38), torch.tensor(math.nan)]) and all_finite([])
    with pytest.raises(NonFiniteError, match='^here: b is -inf in 1 of 3 numbers$'):
        check_finite('here', dict(a=[torch.zeros(2)], b=[torch.zeros(1), torch.tensor([1., -math.inf])]))


# --- two ranks -------------------------------------------------------------------------------------------------------


def rank_main(rank, folder, choice, results):
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/init', rank=rank, world_size=2)
    search = Search(choice, f'rank{rank}')
    if rank == 1:
        poison_task(1, value(math.nan))(search.model, 'cls2')
    try:
        actual = search.iteration(0)
    except NonFiniteError as error:
        actual = str(error)
    results.put((rank, actual))
    torch.distributed.barrier()


@pytest.mark.parametrize('choice', ['stop', 'skip'])
def test_ranks_decide_together(choice, tmp_path):
    context = multiprocessing.get_context('fork')
    results = context.SimpleQueue()
    processes = [context.Process(target=rank_main, args=(rank, tmp_path, choice, results)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    actual = dict(results.get() for _ in processes)
    assert actual[0] == actual[1]
    if choice == 'skip':
        assert actual[0] == {SKIPPED: 1}
    else:
        assert actual[0].startswith("iteration 1, task 'cls2', round 2: the task loss is nan")


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def search_config(data, tmp_path, monkeypatch):
    """Four iterations, of which the second and the fourth have a NaN loss, a checkpoint after each."""
    task_loss = IMTNAS.task_loss

    def spoilt(self, stage, *args):
        loss, figures = task_loss(self, stage, *args)
        return loss * (math.nan if self.iteration % 2 and stage.task == 'det' else 1), figures
    monkeypatch.setattr(IMTNAS, 'task_loss', spoilt)

    def write(choice):
        fields = tiny.search_fields(data, rounds=1, epoch_length=4, val_begin=99, non_finite=choice)
        fields['default_hooks']['checkpoint'] = dict(by_epoch=False, max_keep_ckpts=9)
        return tiny.write_config(tmp_path / 'search.py', 'imtnas_demo.py', **fields)
    return write


def test_a_search_stops_before_a_checkpoint(search_config, tmp_path):
    with pytest.raises(NonFiniteError, match="^iteration 2, task 'det', round 1: the task loss is nan"):
        tiny.run('train', search_config('stop'), '--work-dir', tmp_path / 'work')
    assert [path.name for path in (tmp_path / 'work').glob('*.pth')] == ['iter_1.pth']


def test_a_search_skips_and_counts_over_a_resume(search_config, tmp_path):
    config = search_config('skip')
    tiny.run('train', config, '--work-dir', tmp_path / 'whole')
    assert tiny.logged(tmp_path / 'whole', SKIPPED) == [0, 1, 1, 2]
    assert tiny.log_text(tmp_path / 'whole').count('This iteration is left out') == 2
    saved = [state(tmp_path / 'whole' / f'iter_{i}.pth') for i in (1, 2, 3, 4)]
    for i in (0, 2):  # but for the position
        for key in ('optimizer', 'state_dict'):
            saved[i][key].pop('progress', None), saved[i + 1][key].pop('progress', None)
        actual = {place.split('/')[1] for place in differences(saved[i], saved[i + 1])}
        assert actual <= {'position', 'param_schedulers', 'optimizer'}
        assert all('/lr' in p or not p.startswith('/optimizer') for p in differences(saved[i], saved[i + 1]))
    tiny.run('train', config, '--work-dir', tmp_path / 'resumed', '--resume', tmp_path / 'whole' / 'iter_2.pth')
    assert tiny.logged(tmp_path / 'resumed', SKIPPED) == [1, 2]
    assert differences(state(tmp_path / 'whole' / 'iter_4.pth'), state(tmp_path / 'resumed' / 'iter_4.pth')) == []
    whole = losses(tmp_path / 'whole')
    assert all(lines == whole[i] for i, lines in losses(tmp_path / 'resumed').items())


@pytest.mark.parametrize('spoil, message', [
    (lambda loss, weight: loss * math.inf, '^iteration 4: loss is (inf|nan)'),
    (lambda loss, weight: loss + nan_gradient([weight]), '^iteration 4, the checkpoint is not written: head.*nan in'),
])
def test_a_retraining_stops_before_a_checkpoint(data, tmp_path, monkeypatch, spoil, message):
    loss, calls = ImageClassifier.loss, iter(range(99))

    def spoilt(self, *args):
        actual = loss(self, *args)
        if next(calls) == 3:
            actual['loss'] = spoil(actual['loss'], next(self.head.parameters()))
        return actual
    monkeypatch.setattr(ImageClassifier, 'loss', spoilt)
    fields = tiny.retrain_fields(data, 'cls')
    fields['default_hooks']['checkpoint'] = dict(type='imtnas_mm.AtomicCheckpointHook', by_epoch=False, interval=1)
    with pytest.raises(NonFiniteError, match=message):
        tiny.run('train', tiny.write_config(tmp_path / 'cls.py', None, **fields), '--work-dir', tmp_path / 'work')
    assert sorted(path.name for path in (tmp_path / 'work').glob('*.pth*')) == [f'iter_{i}.pth' for i in (1, 2, 3)]
