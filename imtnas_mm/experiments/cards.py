"""Leases the GPUs of a machine to the runs of comparisons, so that no two runs use one GPU unasked."""
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
ORDER, BUS = 'CUDA_DEVICE_ORDER', 'PCI_BUS_ID'
LOCKS = 'imtnas_mm-gpus'  # folder of the lock files, in the machine's folder of temporary files
POLL = .2  # seconds between two attempts to lock cards that others hold


class CardError(ValueError):
    """An option that the GPUs of this machine can't fulfil."""


class GivenUp(Exception):
    """The comparison stopped while it waited for a GPU."""


@dataclass(frozen=True)
class Card:
    """A GPU of this machine.

    Args:
        id (str): its number or UUID in ``CUDA_VISIBLE_DEVICES``.
        key (str): equal in all processes of the machine: its UUID if nvidia-smi
            reports it, else ``id``.
        name (str | None): of the product, if nvidia-smi reports it.
    """
    id: str
    key: str
    name: str | None = None


def visible_cards() -> list[Card]:
    """list[Card]: the GPUs that this process sees, in CUDA's order; empty on a machine without a GPU.

    ``torch.cuda.device_count()`` counts them, as in a training. It makes no
    context on a GPU. From here on CUDA numbers GPUs as nvidia-smi does, in this
    process and its children, unless ``CUDA_DEVICE_ORDER`` is set: its default
    puts the fastest GPU first.
    """
    by_number = os.environ.setdefault(ORDER, BUS) == BUS
    count = torch.cuda.device_count()
    if not count:
        return []
    text = os.environ.get(VARIABLE)
    ids = [str(i) for i in range(count)] if text is None else [part.strip() for part in text.split(',')][:count]
    known = _told_by_nvidia_smi()
    cards = []
    for card_id in ids:
        fits = [(uuid, name) for index, uuid, name in known
                if by_number and card_id == index or card_id.startswith('GPU-') and uuid.startswith(card_id)]
        uuid, name = fits[0] if len(fits) == 1 else (card_id, None)
        cards.append(Card(card_id, uuid, name))
    return cards


def _told_by_nvidia_smi() -> list[tuple[str, str, str]]:
    """[(index, UUID, name)] of all GPUs of the machine; empty without nvidia-smi."""
    try:
        done = subprocess.run(['nvidia-smi', '--query-gpu=index,uuid,name', '--format=csv,noheader'],
                              capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(',', 2) for line in done.stdout.splitlines() if line.count(',') >= 2]
    return [(index.strip(), uuid.strip(), name.strip()) for index, uuid, name in rows]


def choose_cards(text: str | None, visible: Sequence[Card]) -> list[Card]:
    """The cards that ``--gpus`` selects.

    Args:
        text (str | None): a number of cards, ``'4'``; their places among the
            visible ones, ``'0,2'`` (a single one: ``'2,'``); None selects all.
        visible (list[Card]): of :func:`visible_cards`.

    Raises:
        CardError: there are no such cards, or the text has another form.
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
    """The cards of a step.

    Args:
        cards (list[Card]): empty for a step on CPUs.
        hide (bool): whether to hide all cards from a step without cards.
        files (list[int]): descriptors of the locks. A process that inherits
            them holds the cards, too, until it ends.
    """

    def __init__(self, cards: Iterable[Card] = (), hide: bool = False, files: Iterable[int] = ()) -> None:
        self.cards, self.hide, self.files = list(cards), hide, list(files)

    def environment(self) -> dict[str, str]:
        """dict: environment variables for the step's process."""
        return {VARIABLE: ','.join(card.id for card in self.cards)} if self.cards or self.hide else {}


class Cards:
    """Leases of cards; no two leases on the machine have a card in common, even those of different processes.

    Each card has a lock file. The system releases a lock with the last process
    that holds it, so a killed process leaves none. Leases are granted in the
    order of the requests.

    Args:
        cards (list[Card]): to be leased; if empty, all steps run on CPUs.
        hide (bool): whether to hide all cards from steps without cards; True if
            the machine has any.
        runs_per_gpu (int): above 1, so many leases may share a card, if all of
            them allow it.
        shared (bool): False if nobody else can use these cards, for example
            because a cluster's scheduler assigned them; they are not locked.
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
        """``count`` cards for one step, or none if there are none to lease.

        Raises:
            CardError: there are fewer cards.
            GivenUp: ``stopped()`` became true before enough cards were free.
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
        me, has_warned = object(), False
        with self.turn:
            self.queue.append(me)
        try:
            while True:
                if stopped():
                    raise GivenUp
                with self.turn:
                    first, others = self.queue[0] is me, not any(self.leased.values())
                locked = self._try(count) if first else None
                if locked is not None:
                    return locked
                if first and others and not has_warned:
                    print(f'waiting for {count} of the GPUs {",".join(card.id for card in self.cards)}, which another '
                          f'comparison uses (its locks are in {self.folder})', file=sys.stderr, flush=True)
                    has_warned = True
                time.sleep(POLL)
        finally:
            with self.turn:
                self.queue.remove(me)

    def _try(self, count: int) -> tuple[list[Card], list[int]] | None:
        """(cards, descriptors) of ``count`` free cards; None if there are fewer, and then none is held."""
        cards, files = [], []
        for card in sorted(self.cards, key=self.leased.__getitem__):  # cards with the fewest runs first
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
        """Descriptors of the locks of a card; None if others hold it."""
        name = card.key.replace(os.sep, '_')
        if self.runs_per_gpu == 1:
            return self._locked(f'{name}.lock', fcntl.LOCK_EX)
        common = self._locked(f'{name}.lock', fcntl.LOCK_SH)
        if common is None:
            return None
        for slot in range(self.runs_per_gpu):
            files = self._locked(f'{name}.{slot}.lock', fcntl.LOCK_EX)
            if files is not None:
                return common + files
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
        """A descriptor of a lock file that any user of the machine may lock; the file is made if it is missing."""
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
