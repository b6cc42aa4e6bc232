"""Many tensors are checked for finiteness in one read, and figures for the log are read together."""
import math

import pytest
import torch

from helpers.host_reads import no_host_reads
from imtnas_mm.finite import FiniteLedger, NonFiniteError, read_scalars


def test_a_ledger_reads_nothing_until_asked_and_names_the_first_fault():
    ledger = FiniteLedger()
    with no_host_reads():
        ledger.note('here', dict(a=[torch.ones(3)], b=[torch.tensor(2.)]))
        ledger.note('there', dict(c=[torch.zeros(2), torch.tensor([1., math.nan])]))
        ledger.note('last', dict(d=[torch.tensor(math.inf)]))
    with pytest.raises(NonFiniteError, match='^there: c is nan in 1 of 4 numbers$'):
        ledger.read()
    assert ledger.read() == []  # what was read is gone


def test_vectors_come_with_the_look():
    ledger = FiniteLedger()
    ledger.note('here', dict(a=[torch.full((4, ), 3e38), torch.zeros(0)]))  # finite, though its norm isn't
    actual = ledger.read([torch.tensor([1., 0.]), torch.tensor([True]), torch.tensor([3], dtype=torch.int64)])
    assert actual == [[1., 0.], [1.], [3.]]
    ledger.note('here', dict(a=[torch.tensor(math.nan)]))
    ledger.clear()
    assert ledger.read([torch.tensor([2.])]) == [[2.]]


def test_scalars_of_a_log():
    figures = dict(a=torch.tensor(.1), b=2, c=torch.tensor([3.]), d=torch.ones(2), e=torch.tensor(7))
    actual = read_scalars(figures)
    assert list(actual) == list(figures)
    assert actual['a'] == torch.tensor(.1).item() and actual['b'] == 2 and actual['c'] == 3. and actual['e'] == 7
    assert actual['d'] is figures['d'] and read_scalars({}) == {}
