"""The GPUs of a comparison: which there are, and which run has them now."""
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

VARIABLE = 'CUDA_VISIBLE_DEVICES'
LOCKS = 'imtnas_mm-gpus'  # folder of the lock files, in the machine's folder of temporary files
POLL = .2  # seconds between two looks at cards that others hold


class CardError(ValueError):
    """An option that the GPUs of this machine can't fulfil."""


class GivenUp(Exception):
    """The comparison stopped while it waited for a GPU."""


@dataclass(frozen=True)
class Card:
    """Args:
        id (str): what ``CUDA_VISIBLE_DEVICES`` calls it: a number or a UUID.
        key (str): the same for all processes of the machine: its UUID where
            nvidia-smi tells it, else ``id``.
        name (str | None): of the product, where nvidia-smi tells it.
    """
    id: str
    key: str
    name: str | None = None


def visible_cards() -> list[Card]:
    """list[Card]: the GPUs that this process sees, in CUDA's order; none on a machine without a GPU.

    ``torch.cuda.device_count()`` counts them, so that a training sees as many.
    It makes no context on a GPU.
    """
    count = torch.cuda.device_count()
    if not count:
        return []
    given = os.environ.get(VARIABLE)
    ids = [str(i) for i in range(count)] if given is None else [one.strip() for one in given.split(',')][:count]
    known = _told_by_nvidia_smi()
    cards = []
    for one in ids:
        fits = [(uuid, name) for index, uuid, name in known
                if one == index or one.startswith('GPU-') and uuid.startswith(one)]
        uuid, name = fits[0] if len(fits) == 1 else (one, None)
        cards.append(Card(one, uuid, name))
    return cards


def _told_by_nvidia_smi() -> list[tuple[str, str, str]]:
    """[(index, UUID, name)] of all GPUs of the machine; empty where there is no nvidia-smi."""
    try:
        done = subprocess.run(['nvidia-smi', '--query-gpu=index,uuid,name', '--format=csv,noheader'],
                              capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(',', 2) for line in done.stdout.splitlines() if line.count(',') >= 2]
    return [(index.strip(), uuid.strip(), name.strip()) for index, uuid, name in rows]


def choose_cards(text: str | None, visible: Sequence[Card]) -> list[Card]:
    """The cards that ``--gpus`` names.

    Args:
        text (str | None): a number of cards, ``'4'``; their places among the
            visible ones, ``'0,2'`` (of one, ``'2,'``); or None, all.
        visible (list[Card]): of :func:`visible_cards`.

    Raises:
        CardError: there are no such cards, or the text is neither.
    """
    if text is None:
        return list(visible)
    shown = f'{len(visible)} GPU(s)' + (
        f' ({VARIABLE}={",".join(card.id for card in visible)})' if VARIABLE in os.environ else '')
    parts = [part.strip() for part in text.split(',')]
    if parts[-1] == '' and len(parts) > 1:
        parts.pop()
    if not all(part.isdecimal() for part in parts):
        raise CardError(f'--gpus {text}: it must be how many, as in 4, or which of those visible, as in 0,2 or 2,')
    if ',' not in text:
        if int(text) > len(visible):
            raise CardError(f'--gpus {text}: this process sees {shown}; it must be at most {len(visible)}')
        return list(visible[:int(text)])
    places = [int(part) for part in parts]
    for place in places:
        if place >= len(visible):
            raise CardError(f'--gpus {text}: there is no GPU {place}; this process sees {shown}, counted from 0')
    if len(set(places)) < len(places):
        raise CardError(f'--gpus {text}: a GPU is named twice; --runs-per-gpu 2 puts two runs on each')
    return [visible[place] for place in places]


class Lease:
    """What a step runs on.

    Args:
        cards (list[Card]): empty for a step on CPUs.
        hide (bool): whether a step without cards must see none.
        files (list[int]): descriptors of the locks. A process that inherits
            them holds the cards, too, until it ends.
    """

    def __init__(self, cards: Iterable[Card] = (), hide: bool = False, files: Iterable[int] = ()) -> None:
        self.cards, self.hide, self.files = list(cards), hide, list(files)

    def environment(self) -> dict[str, str]:
        """dict: the environment variables that a step's process gets."""
        return {VARIABLE: ','.join(card.id for card in self.cards)} if self.cards or self.hide else {}


class Cards:
    """Leases of cards; no two leases have a card in common, be they of this process or of others of the machine.

    A lock file for each card says who has it. The system ends a lock with the
    last process that holds it, so that none is left by one that was killed.
    Leases are given in the order they were asked for.

    Args:
        cards (list[Card]): those that may be used; none: all steps are on CPUs.
        hide (bool): whether steps without cards must see none: True where the
            machine has some.
        runs_per_gpu (int): above 1, a card may be in so many leases of those
            who allow as many; it is never in one of those who don't.
        shared (bool): False: nobody else can have these cards, and they are
            not locked (a cluster's scheduler gave them).
        folder (Path | None): of the lock files.
    """

    def __init__(self, cards: Iterable[Card] = (), hide: bool = False, runs_per_gpu: int = 1, shared: bool = True,
                 folder: Path | None = None) -> None:
        self.cards, self.hide, self.runs_per_gpu, self.shared = list(cards), hide, runs_per_gpu, shared
        self.folder = Path(folder or Path(tempfile.gettempdir(), LOCKS))
        self.turn = threading.Lock()
        self.queue: list[object] = []
        self.leased: Counter[Card] = Counter()  # card -> leases of this process

    @contextmanager
    def lease(self, count: int, stopped: Callable[[], bool] = lambda: False) -> Iterator[Lease]:
        """The cards of one step: ``count`` of them, or none where there are none at all.

        Raises:
            CardError: there are fewer cards.
            GivenUp: ``stopped()`` became true before they were free.
        """
        if not self.cards or not count:
            yield Lease(hide=self.hide)
            return
        if count > len(self.cards):
            raise CardError(f'a step needs {count} GPUs, and this comparison has {len(self.cards)}')
        cards, files = self._await(count, stopped) if self.shared else (self.cards[:count], [])
        self._count(cards, 1)
        try:
            yield Lease(cards, True, files)
        finally:
            self._count(cards, -1)
            for file in files:
                fcntl.flock(file, fcntl.LOCK_UN)  # for all processes that inherited it
                os.close(file)

    def _count(self, cards: Iterable[Card], change: int) -> None:
        with self.turn:
            self.leased.update({card: change for card in cards})

    def _await(self, count: int, stopped: Callable[[], bool]) -> tuple[list[Card], list[int]]:
        me, told = object(), False
        with self.turn:
            self.queue.append(me)
        try:
            while True:
                if stopped():
                    raise GivenUp
                with self.turn:
                    first, others = self.queue[0] is me, not any(self.leased.values())
                found = self._try(count) if first else None
                if found is not None:
                    return found
                if first and others and not told:
                    print(f'waiting for {count} of the GPUs {",".join(card.id for card in self.cards)}, which another '
                          f'comparison uses (its locks are in {self.folder})', file=sys.stderr, flush=True)
                    told = True
                time.sleep(POLL)
        finally:
            with self.turn:
                self.queue.remove(me)

    def _try(self, count: int) -> tuple[list[Card], list[int]] | None:
        """(cards, descriptors) of ``count`` free cards, or None where there are fewer: none is held while waiting."""
        cards, files = [], []
        for card in sorted(self.cards, key=self.leased.__getitem__):  # the one with the fewest runs first
            held = self._lock(card)
            if held is not None:
                cards.append(card)
                files += held
                if len(cards) == count:
                    return cards, files
        for file in files:
            os.close(file)
        return None

    def _lock(self, card: Card) -> list[int] | None:
        """Descriptors of the locks of a card, or None where others have it."""
        name = card.key.replace(os.sep, '_')
        if self.runs_per_gpu == 1:
            return self._locked(f'{name}.lock', fcntl.LOCK_EX)
        common = self._locked(f'{name}.lock', fcntl.LOCK_SH)
        if common is None:
            return None
        for slot in range(self.runs_per_gpu):
            own = self._locked(f'{name}.{slot}.lock', fcntl.LOCK_EX)
            if own is not None:
                return common + own
        os.close(common[0])
        return None

    def _locked(self, name: str, kind: int) -> list[int] | None:
        file = self._open(self.folder / name)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return [file]

    def _open(self, path: Path) -> int:
        """A descriptor of a lock file that any user of the machine may lock; made if it is not there."""
        if not path.parent.is_dir():
            with suppress(FileExistsError):
                path.parent.mkdir(parents=True)
                path.parent.chmod(0o1777)
        while True:
            with suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with suppress(FileExistsError):
                file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_CLOEXEC, 0o644)
                os.fchmod(file, 0o644)  # whatever the umask
                os.close(file)
