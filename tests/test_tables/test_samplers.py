"""Random queries and regularised evolution: budgets, fairness, mutations."""
import random
import re
import statistics

import pytest

from helpers.grid_space import OPERATIONS, to_string, write_table
from imtnas_mm.registry import TABLE_SAMPLERS
from imtnas_mm.tables.accuracy import TableError, read_table
from imtnas_mm.tables.samplers import Queries, RandomQueries, RegularizedEvolution, TableSampler

KINDS = [RandomQueries, RegularizedEvolution]


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    return read_table(write_table(tmp_path_factory.mktemp('table') / 'a.csv'))


def asked(table, sampler, seed=0):
    """The strings of all queries."""
    queries, strings = Queries(table, sampler.metric, sampler.queries, sampler.without), []
    ask = queries.ask

    def noted(string):
        strings.append(string)
        return ask(string)

    queries.ask = noted
    sampler.sample(queries, random.Random(seed))
    return strings


@pytest.mark.parametrize('kind', KINDS)
def test_the_best_of_n_queries(table, kind):
    for queries in (1, 7, 40):
        sampler = kind(queries=queries, metric='c10')
        strings = asked(table, sampler, seed=3)
        sampled = sampler.run(table, 3)
        assert len(strings) == sampled.queries == queries
        values = [table.lookup(string)['c10'] for string in strings]
        assert table.lookup(sampled.architecture)['c10'] == max(values)
        assert sampled.best == [(i + 1, string) for i, string in enumerate(strings)
                                if values[i] > max(values[:i], default=0.)]
        assert sampler.run(table, 3) == sampled
    assert len({kind(queries=5, metric='c10').run(table, seed).architecture for seed in range(20)}) > 5


@pytest.mark.parametrize('kind', KINDS)
def test_one_query_has_the_mean_of_the_table(table, kind):
    sampler = kind(queries=1, metric='c10')
    values = [table.lookup(sampler.run(table, seed).architecture)['c10'] for seed in range(2000)]
    error = statistics.stdev(values) / len(values)**.5
    assert abs(statistics.fmean(values) - table.mean('c10')) < 3 * error


@pytest.mark.parametrize('kind', KINDS)
def test_a_sampler_without_a_choice_never_asks_for_it(table, kind):
    allowed = [string for string in table.strings if 'none' not in string]
    assert len(allowed) == 2**4
    sampler = kind(queries=16, metric='c10', without='none')
    strings = {string for seed in range(5) for string in asked(table, sampler, seed)}
    assert strings <= set(allowed) and len(strings) > 8
    assert 'none' not in sampler.run(table, 0).architecture


@pytest.mark.parametrize('kind', KINDS)
def test_a_choice_that_the_table_does_not_have_is_refused(table, kind):
    with pytest.raises(TableError, match="a.csv: 'nothing'; it must be a choice that some architectures have"):
        kind(queries=1, metric='c10', without='nothing').run(table, 0)


def test_random_queries_without_a_choice_know_how_many_there_are(table):
    with pytest.raises(TableError, match='16 architectures; RandomQueries.queries=17 must be at most that'):
        RandomQueries(queries=17, metric='c10', without='none').run(table, 0)


def test_random_queries_are_all_different(table):
    strings = asked(table, RandomQueries(queries=81, metric='c10'))
    assert sorted(strings) == sorted(table.strings)
    with pytest.raises(TableError, match='81 architectures; RandomQueries.queries=82 must be at most that'):
        RandomQueries(queries=82, metric='c10').run(table, 0)


def test_neighbours_differ_in_one_edge(table):
    for string in ('grid:conv-none-skip-conv', table.strings[0]):
        edges = string.removeprefix('grid:').split('-')
        expected = {to_string(dict(edges=[*edges[:i], other, *edges[i + 1:]]))
                    for i in range(4) for other in OPERATIONS if other != edges[i]}
        found = table.neighbours(string)
        assert len(found) == len(expected) == 8 and set(found) == expected
    with pytest.raises(TableError, match='it must be one of the 81 architectures'):
        table.neighbours('grid:conv')


def test_neighbours_are_in_the_table(tmp_path):
    strings = ['grid:conv-conv-conv-conv', 'grid:conv-conv-conv-none', 'grid:none-none-conv-conv']
    table = read_table(write_table(tmp_path / 'a.csv', [f'{one},1' for one in strings], 'architecture,c10'))
    assert [table.neighbours(one) for one in strings] == [[strings[1]], [strings[0]], []]
    with pytest.raises(TableError, match=re.escape(f'{strings[2]!r}; no architecture in it differs in one choice')):
        for seed in range(9):
            RegularizedEvolution(queries=9, metric='c10', population=1, sample_size=1).run(table, seed)


def test_evolution_mutates_the_best_of_a_sample(table):
    """With samples of the whole population, parents are its best; the oldest member leaves."""
    strings = asked(table, RegularizedEvolution(queries=30, metric='c10', population=4, sample_size=4))
    for i in range(4, 30):
        parent = max(strings[i - 4:i], key=lambda one: table.lookup(one)['c10'])
        assert strings[i] in table.neighbours(parent)


def test_evolution_beats_random_queries(table):
    def regrets(kind, **options):
        sampler = kind(queries=25, metric='c10', **options)
        return [table.standing(sampler.run(table, seed).architecture)['c10'].regret for seed in range(60)]

    evolved, drawn = regrets(RegularizedEvolution, population=5, sample_size=3), regrets(RandomQueries)
    assert statistics.fmean(evolved) < statistics.fmean(drawn) / 1.5


@pytest.mark.parametrize('options, told', [
    (dict(queries=0), 'queries=0: it must be a whole number from 1'),
    (dict(queries=2.), 'queries=2.0: it must be a whole number from 1'),
    (dict(queries=2, population=0), 'population=0: it must be'),
    (dict(queries=2, population=2), 'sample_size=3: it must be at most population, 2'),
])
def test_what_is_refused(options, told):
    with pytest.raises(ValueError, match='RegularizedEvolution.' + told):
        RegularizedEvolution(metric='c10', **options)


def test_another_metric_and_another_sampler(table):
    with pytest.raises(TableError, match="'top1'; it must be one of the metrics c10, c100"):
        RandomQueries(queries=1, metric='top1').run(table, 0)

    class Greedy(TableSampler):
        def sample(self, queries, generator):
            while True:
                queries.ask(queries.strings[0])

    with pytest.raises(RuntimeError, match='more than its 3 queries'):
        Greedy(queries=3, metric='c10').run(table, 0)
    assert {'RandomQueries', 'RegularizedEvolution'} <= set(TABLE_SAMPLERS.module_dict)
