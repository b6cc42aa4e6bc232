"""The order of the stages, for any number of tasks and rounds."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imtnas_mm.algorithms.stages.stage import check_order, interleaved_stages

orders = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=12, unique=True)


@given(order=orders, rounds=st.integers(1, 9))
def test_stages_follow_one_another_as_in_eq_1(order, rounds):
    stages = interleaved_stages(order, rounds)
    number = len(order)
    assert len(stages) == rounds * number and [stage.index for stage in stages] == list(range(len(stages)))
    assert (stages[0].round, stages[0].task_index) == (0, 0)
    for stage in stages:
        assert order[stage.task_index] == stage.task and 0 <= stage.round < rounds
    for before, stage in zip(stages[:-1], stages[1:], strict=True):
        if stage.task_index:  # before (m, k) comes (m, k - 1), before (m, 1) comes (m - 1, K)
            assert (before.round, before.task_index) == (stage.round, stage.task_index - 1)
        else:
            assert (before.round, before.task_index) == (stage.round - 1, number - 1)
    assert len({(stage.round, stage.task) for stage in stages}) == len({stage.name for stage in stages}) == len(stages)


@given(order=orders, rounds=st.integers(-3, 0))
def test_no_round(order, rounds):
    with pytest.raises(ValueError, match=f'train_cfg.rounds={rounds} must be at least 1'):
        interleaved_stages(order, rounds)


@given(order=orders, data=st.data())
def test_an_order_names_every_task_once(order, data):
    tasks = data.draw(st.permutations(order))
    check_order(order, tasks)
    place = data.draw(st.integers(0, len(order) - 1))
    others = order[:place] + order[place + 1:]
    for wrong, message in ((others, 'leaves out'), ([*order, order[place]], 'a task twice'),
                           ([*others, order[place] * 7], 'names the unknown task')):
        with pytest.raises(ValueError, match=f'^train_cfg.order=.* {message}'):
            check_order(wrong, tasks)
