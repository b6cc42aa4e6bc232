"""How sure the choices of an architecture are: by how much each choice leads the next best one."""
import math
from statistics import median
from typing import NamedTuple

from ..genotype import Genotype
from ..importance import UNSURE, importance_rows, lead
from ..space_format import format_of

REMEDY = 'train longer, or raise optim_wrapper.architecture.optimizer.lr'


class Certainty(NamedTuple):
    """The leads of all choices, see :func:`imtnas_mm.importance.lead`.

    Args:
        choices (tuple[int]): the best option of each row with two options or more.
        leads (tuple[float]): of the same rows.
    """
    choices: tuple[int, ...]
    leads: tuple[float, ...]

    @property
    def unsure(self) -> int:
        """Number of choices that lead by less than ``UNSURE``."""
        return sum(lead < UNSURE for lead in self.leads)

    @property
    def is_chance(self) -> bool:
        """Whether at least half of the choices are no surer than those of an untrained A."""
        return 2 * self.unsure >= len(self.leads) > 0

    def __str__(self) -> str:
        if not self.leads:
            return 'there is nothing to choose'
        return (f'the best option leads the second by {math.expm1(median(self.leads)):.1%} (median of '
                f'{len(self.leads)} choices); {self.unsure} lead by less than {math.expm1(UNSURE):.0%}')

    def warning(self) -> str | None:
        """A warning if the architecture is no better than chance; ``None`` otherwise."""
        if not self.is_chance:
            return None
        return (f'{self.unsure} of {len(self.leads)} choices lead the second best by less than '
                f'{math.expm1(UNSURE):.0%}: this architecture is hardly better than a random one; {REMEDY}')


def certainty_of(genotype: Genotype) -> Certainty:
    """The leads of all choices of an architecture; no leads if it has no importance weights.

    Options don't count if their weight is 0 (dropped by P-DARTS) or if no choice could take them
    (:attr:`Genotype.never_taken`).
    """
    space_format, never_taken = format_of(genotype.space), genotype.never_taken
    named = space_format.choices(genotype.architecture) if space_format.choices and never_taken else {}
    choices, leads = [], []
    for name, group in (genotype.importance or {}).items():
        for place, row in enumerate(importance_rows(group)):
            without = [i for i, option in enumerate(named[name][place].options if name in named else ())
                       if option in never_taken]
            options = [i for i, weight in enumerate(row) if weight > 0 and i not in without]
            if len(options) > 1:
                choices.append(max(options, key=row.__getitem__))
                leads.append(lead(row, choices[-1], without))
    return Certainty(tuple(choices), tuple(leads))
