"""One process on the data of several: the result that a distributed search must equal."""
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import torch

from imtnas_mm.random_state import isolated_random
from imtnas_mm.transfer import TransferLoss


@contextmanager
def as_rank(rank):
    """Inside, stages draw the random numbers of this rank."""
    with mock.patch('imtnas_mm.algorithms.imtnas.get_rank', lambda: rank), \
            mock.patch('imtnas_mm.algorithms.weight_stages.get_rank', lambda: rank):
        yield


def one_process(model):
    """Turns a search method into its own oracle, of explicit means over batches.

    A raw batch is then a list. With one entry per rank, a task's loss is the
    mean of the losses on all entries, ``L = 1/R sum_r L(A, W, H, D_r)``. With a
    single entry, the union batch, it is that of an ordinary search. The examples
    of a transfer are always a list with one entry per rank: T compares sets with
    one another, ranks have different sets, and ``T = 1/R sum_r T_r``.
    """
    kind = type(model)

    class OneProcess(kind):

        def preprocess(self, task, batches, *args):
            processed = []
            for rank, batch in enumerate(batches):
                with as_rank(rank):
                    processed.append(super().preprocess(task, batch, *args))
            return processed

        def task_loss(self, stage, gates, encoder, head, batches, *args):
            losses = []
            for rank, data in enumerate(batches):
                with as_rank(rank):
                    losses.append(super().task_loss(stage, gates, encoder, head, data, *args)[0])
            return sum(losses) / len(losses), {}

        def transfer_examples(self, stage, previous, ranks):
            return [super(OneProcess, self).transfer_examples(stage, previous, raw) for raw in ranks]

        def transfer_views(self, record):
            """``None`` where the examples are those of all ranks: each rank's objective makes its own views."""
            return None if isinstance(record.examples, list) else super().transfer_views(record)

        def encoder_objective(self, record, previous, gates, teacher, encoder, head, data, views=None):
            losses = []
            for rank, examples in enumerate(record.examples or [None]):  # none: T without images
                with as_rank(rank):
                    restricted = replace(record, examples=examples)
                    losses.append(super().encoder_objective(
                        restricted, previous, gates, teacher, encoder, head, data).loss)
            return TransferLoss(sum(losses) / len(losses))

    model.__class__ = OneProcess
    return model


def union(batches):
    """One raw batch of several."""
    return {key: [item for batch in batches for item in batch[key]] for key in batches[0]}


def merged(ranks, together):
    """(stage batches, validation batches) of every rank -> the same of :func:`one_process`.

    Args:
        together (bool): as union batches.
    """
    def batches_of(batches):
        return [union(batches)] if together else list(batches)

    stages = []
    for of_stage in zip(*(stages for stages, _ in ranks), strict=True):
        batch = dict(train=batches_of([of_rank['train'] for of_rank in of_stage]))
        if 'examples' in of_stage[0]:
            batch['examples'] = [of_rank['examples'] for of_rank in of_stage]
        stages.append(batch)
    return stages, {name: batches_of([val[name] for _, val in ranks]) for name in ranks[0][1]}


def drawn(rank, iteration, make):
    """``make()`` with random numbers of a rank and an iteration."""
    with isolated_random(rank, iteration):
        return make()


def distance(first, other):
    """The largest difference of two state dicts, NaN if a NaN is in one alone."""
    assert first.keys() == other.keys()
    return max(float((first[n].double() - other[n].double()).nan_to_num(0. if torch.equal(
        first[n].isnan(), other[n].isnan()) else float('nan')).abs().max()) for n in first if first[n].numel())
