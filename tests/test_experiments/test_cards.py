"""Which GPUs a comparison has, and that no two runs have one, be they of one process or of several."""
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from imtnas_mm.experiments.cards import Card, CardError, Cards, GivenUp, choose_cards, visible_cards

LISTED = '0, GPU-aaaa1111, Card A\n1, GPU-bbbb2222, Card B\n2, GPU-bbbb3333, Card, with a comma\n'


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Maker of a machine with so many visible GPUs, ``CUDA_VISIBLE_DEVICES``, and what its nvidia-smi prints."""

    def make(count, given=None, listed=None):
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: count)
        monkeypatch.setenv('CUDA_DEVICE_ORDER', os.environ.get('CUDA_DEVICE_ORDER', 'PCI_BUS_ID'))  # reset afterwards
        monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
        if given is not None:
            monkeypatch.setenv('CUDA_VISIBLE_DEVICES', given)
        monkeypatch.setenv('PATH', str(tmp_path))
        if listed is not None:
            program = tmp_path / 'nvidia-smi'
            program.write_text(f'#!{sys.executable}\nprint({listed!r}, end="")')
            program.chmod(0o755)

    return make


@pytest.mark.parametrize('count, given, listed, expected', [
    (0, None, LISTED, []),
    (2, None, None, [Card('0', '0'), Card('1', '1')]),
    (2, None, LISTED, [Card('0', 'GPU-aaaa1111', 'Card A'), Card('1', 'GPU-bbbb2222', 'Card B')]),
    (2, '2, 0', LISTED, [Card('2', 'GPU-bbbb3333', 'Card, with a comma'), Card('0', 'GPU-aaaa1111', 'Card A')]),
    (1, '1,-1,0', LISTED, [Card('1', 'GPU-bbbb2222', 'Card B')]),  # CUDA stops at the first that is none
    (2, 'GPU-a,GPU-bbbb', LISTED, [Card('GPU-a', 'GPU-aaaa1111', 'Card A'), Card('GPU-bbbb', 'GPU-bbbb')]),
    (1, 'MIG-cc', LISTED, [Card('MIG-cc', 'MIG-cc')]),
])
def test_visible_cards(machine, count, given, listed, expected):
    """The same card has the same key by its number and by its UUID."""
    machine(count, given, listed)
    assert visible_cards() == expected


def test_numbers_are_those_of_nvidia_smi(machine, monkeypatch):
    """CUDA's own default puts the fastest GPU first."""
    machine(2, None, LISTED)
    monkeypatch.delenv('CUDA_DEVICE_ORDER')
    assert [card.name for card in visible_cards()] == ['Card A', 'Card B']
    assert os.environ['CUDA_DEVICE_ORDER'] == 'PCI_BUS_ID'  # of the trainings, too
    monkeypatch.setenv('CUDA_DEVICE_ORDER', 'FASTEST_FIRST')
    assert visible_cards() == [Card('0', '0'), Card('1', '1')]  # which is which isn't known
    machine(1, 'GPU-bbbb2', LISTED)
    assert visible_cards() == [Card('GPU-bbbb2', 'GPU-bbbb2222', 'Card B')]
    assert os.environ['CUDA_DEVICE_ORDER'] == 'FASTEST_FIRST'


CARDS = [Card(str(i), f'GPU-{i}') for i in (4, 5, 6, 7)]


@pytest.mark.parametrize('text, expected', [
    (None, '4567'), ('4', '4567'), ('2', '45'), ('0', ''), ('0,2', '46'), ('3,0', '74'), ('1,', '5'), ('0, 1', '45'),
])
def test_choice(text, expected):
    """Places among the visible cards, as CUDA counts them."""
    assert ''.join(card.id for card in choose_cards(text, CARDS)) == expected


@pytest.mark.parametrize('text, message', [
    ('5', r'^--gpus 5: this process sees 4 GPU\(s\).*at most 4$'),
    ('0,4', r'^--gpus 0,4: there is no GPU 4; this process sees 4 GPU\(s\).*, counted from 0$'),
    ('1,1', '--gpus 1,1: a GPU is named twice; --runs-per-gpu 2'),
    ('all', '--gpus all: it must be how many, as in 4, or which of those visible, as in 0,2'),
    ('', '--gpus : it must be'), (',', '--gpus ,: it must be'), ('-1', '--gpus -1: it must be'),
])
def test_choices_that_are_none(text, message):
    with pytest.raises(CardError, match=message):
        choose_cards(text, CARDS)


def held(lease):
    return ''.join(card.id for card in lease.cards)


def free(folder, count=4, **options):
    """The cards that another one, who asks for all that are free, would get."""
    with_all = Cards(CARDS, folder=folder, **options)
    for number in range(count, 0, -1):
        actual = with_all._try(number)
        if actual is not None:
            for file in actual[1]:
                os.close(file)
            return ''.join(card.id for card in actual[0])
    return ''


def test_leases_have_no_card_in_common(tmp_path):
    mine, other = Cards(CARDS, folder=tmp_path), Cards(CARDS[2:], folder=tmp_path)
    with mine.lease(3) as first:
        assert held(first) == '456' and first.environment() == {'CUDA_VISIBLE_DEVICES': '4,5,6'}
        with other.lease(1) as second:
            assert held(second) == '7' and free(tmp_path) == ''
        assert free(tmp_path) == '7'
    assert free(tmp_path) == '4567'
    with pytest.raises(CardError, match='a step needs 3 GPUs, and this comparison has 2'), other.lease(3):
        pass


def test_without_cards_nothing_is_locked_and_none_is_seen(tmp_path):
    with Cards(folder=tmp_path).lease(4) as lease:
        assert lease.environment() == {}
    for cards in (Cards(hide=True, folder=tmp_path), Cards(CARDS, hide=True, folder=tmp_path)):
        with cards.lease(0) as lease:
            assert lease.environment() == {'CUDA_VISIBLE_DEVICES': ''}
    with Cards(CARDS, shared=False, folder=tmp_path).lease(2) as lease:
        assert lease.environment() == {'CUDA_VISIBLE_DEVICES': '4,5'}
    assert list(tmp_path.iterdir()) == []


def test_leases_wait_in_their_order(tmp_path):
    """One that needs all cards is not overtaken by those that need one."""
    cards, order, last = Cards(CARDS[:2], folder=tmp_path), [], threading.Event()

    def take(name, count):
        with cards.lease(count):
            order.append(name)
            last.wait(.05)

    with cards.lease(1):
        threads = []
        for name, count in (('both', 2), ('one', 1), ('another', 1)):
            threads.append(threading.Thread(target=take, args=(name, count)))
            threads[-1].start()
            while len(cards.queue) < len(threads):
                time.sleep(.01)
        time.sleep(.3)
        assert order == []  # though a card is free
    for thread in threads:
        thread.join(20)
    assert order[0] == 'both' and sorted(order[1:]) == ['another', 'one']


def test_a_stop_ends_the_waiting(tmp_path, capsys):
    with Cards(CARDS, folder=tmp_path).lease(4):
        asked = iter([False, False, True])
        with pytest.raises(GivenUp), Cards(CARDS[:1], folder=tmp_path).lease(1, lambda: next(asked)):
            pass
    told = capsys.readouterr().err
    assert told.count('waiting for 1 of the GPUs 4, which another comparison uses') == 1 and str(tmp_path) in told


def test_runs_that_share_a_card(tmp_path):
    """Only with those who allow it, and so many; the emptier card comes first."""
    two = Cards(CARDS[:2], runs_per_gpu=2, folder=tmp_path)
    with two.lease(1) as first, two.lease(1) as second:
        assert (held(first), held(second)) == ('4', '5')
        assert free(tmp_path) == '67'  # one who shares with nobody gets neither
        with Cards(CARDS[:1], runs_per_gpu=2, folder=tmp_path).lease(1) as third:
            assert held(third) == '4' and free(tmp_path, runs_per_gpu=2) == '567'
    with Cards(CARDS[:1], folder=tmp_path).lease(1):
        assert free(tmp_path, runs_per_gpu=2) == '567'


def in_a_process(action):
    """Fork one that does so and then sleeps; returns its number once it has done it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            kept = action()  # noqa: F841
            os.write(writing, b'x')
            time.sleep(100)
        finally:
            os._exit(0)
    os.close(writing)
    assert os.read(reading, 1) == b'x'
    os.close(reading)
    return pid


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_killed_process_leaves_no_lock(tmp_path):
    def hold():
        lease = Cards(CARDS[:2], folder=tmp_path).lease(2)
        lease.__enter__()
        return lease

    pid = in_a_process(hold)
    assert free(tmp_path) == '67'
    end(pid)
    assert free(tmp_path) == '4567'


def test_a_training_that_outlives_its_comparison_keeps_its_cards(tmp_path):
    numbers = tmp_path / 'number'

    def hold():
        lease = Cards(CARDS[:1], folder=tmp_path / 'locks').lease(1)
        files = lease.__enter__().files
        process = subprocess.Popen(['sleep', '100'], pass_fds=files, start_new_session=True)
        numbers.write_text(str(process.pid))
        return lease

    pid = in_a_process(hold)
    end(pid)
    assert free(tmp_path / 'locks') == '567'
    training = int(numbers.read_text())
    os.kill(training, signal.SIGKILL)
    begin = time.monotonic()
    while free(tmp_path / 'locks') != '4567':
        assert time.monotonic() - begin < 20
        time.sleep(.02)


def test_an_ended_step_gives_its_cards_back_though_a_child_of_it_lives(tmp_path):
    with Cards(CARDS, folder=tmp_path).lease(4) as lease:
        straggler = subprocess.Popen(['sleep', '100'], pass_fds=lease.files)
    assert free(tmp_path) == '4567'
    straggler.kill()
    straggler.wait()


def test_any_user_can_lock(tmp_path):
    before = os.umask(0o077)
    try:
        with Cards(CARDS, folder=tmp_path / 'locks').lease(1):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / 'locks').stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / 'locks' / 'GPU-4.lock').stat().st_mode & 0o777 == 0o644
