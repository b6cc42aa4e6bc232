"""How sure the choices of an architecture are: by how much each choice leads the next best one."""
import math
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

UNSURE = .01  # of a lead; A's alphas start within some .001 of each other
REMEDY = 'train longer, or raise optim_wrapper.architecture.optimizer.lr'


class Certainty(NamedTuple):
    """The leads of all choices.

    A lead is ``ln(p_1 / p_2)`` of the two largest importance weights of a row. For a softmax it is the difference of
    their alphas, so that it doesn't depend on the number of options.

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
        """What to say of an architecture that is no better than chance; None for another."""
        if not self.is_chance:
            return None
        return (f'{self.unsure} of {len(self.leads)} choices lead the second best by less than '
                f'{math.expm1(UNSURE):.0%}: this architecture is hardly better than a random one; {REMEDY}')


def certainty_of(importance: Mapping[str, Any]) -> Certainty:
    """The leads of importance weights by group: nested lists whose innermost rows weigh the options of one choice.

    Options of weight 0, which P-DARTS has dropped, don't count.
    """
    choices, leads = [], []
    for row in (row for group in importance.values() for row in importance_rows(group)):
        ordered = sorted((weight for weight in row if weight > 0), reverse=True)
        if len(ordered) > 1:
            choices.append(max(range(len(row)), key=row.__getitem__))
            leads.append(math.log(ordered[0] / ordered[1]))
    return Certainty(tuple(choices), tuple(leads))


def importance_rows(group: Any) -> Iterator[list[float]]:
    """The rows of a group of importance weights, each the weights of the options of one choice."""
    if not isinstance(group[0], list):
        yield group
        return
    for part in group:
        yield from importance_rows(part)
