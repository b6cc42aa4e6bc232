"""The stages of an iteration: the turns of the tasks to train, in order."""
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Stage (m, k) of Eq. 1; ``task_index`` k and ``round`` m count from 0."""
    index: int
    task: str
    task_index: int
    round: int

    @property
    def name(self) -> str:
        """``r1.cls``: the round, from 1, and the task."""
        return f'r{self.round + 1}.{self.task}'


def check_order(order: Sequence[str], tasks: Collection[str]) -> None:
    """Raises ValueError unless ``order`` names every task once."""
    unknown = [name for name in order if name not in tasks]
    if unknown:
        raise ValueError(f'train_cfg.order={tuple(order)} names the unknown task {unknown[0]!r}; '
                         f'model.tasks has {list(tasks)}')
    if len(set(order)) != len(order):
        raise ValueError(f'train_cfg.order={tuple(order)} names a task twice; it is the order within one round, '
                         'and train_cfg.rounds repeats it')
    missing = [name for name in tasks if name not in order]
    if missing:
        raise ValueError(f'train_cfg.order={tuple(order)} leaves out {missing}; every task of model.tasks must '
                         'take part (remove the task from model.tasks to search without it)')


def interleaved_stages(order: Sequence[str], rounds: int) -> tuple[Stage, ...]:
    """The tasks t_1 .. t_K in M rounds (Eq. 1).

    Raises:
        ValueError: if ``rounds`` is less than 1.
    """
    if rounds < 1:
        raise ValueError(f'train_cfg.rounds={rounds} must be at least 1')
    return tuple(
        Stage(m * len(order) + k, task, k, m) for m in range(rounds) for k, task in enumerate(order))
