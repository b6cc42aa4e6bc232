"""How the choices of a search sharpened: the importance weights of each layer or edge over time."""
from typing import NamedTuple

from ..genotype import Genotype
from ..importance import importance_rows
from ..space_format import Choice, format_of
from .charts import Curve
from .panels import thinned
from .work_dir import SearchFolder


class SharpeningChoice(NamedTuple):
    """A row of the importance: a layer or an edge, with the weights of its options over time.

    Args:
        name (str): of the layer or edge.
        curves (list[Curve]): of its options; the same option has the same colour in all choices.
        last (dict[str, float]): option -> its weight in the last line of the history.
        sums (bool): whether the weights sum to 1; those of PR-DARTS don't.
    """
    name: str
    curves: list[Curve]
    last: dict[str, float]
    sums: bool

    @property
    def relative(self) -> list[Curve]:
        """Its curves over the weight that each option has if all are equal; as they are if they don't sum to 1."""
        factor = len(self.curves) if self.sums else 1
        return [curve._replace(points=[(x, factor * y) for x, y in curve.points]) for curve in self.curves]

    @property
    def best(self) -> str:
        """The option of the largest last weight."""
        return max(self.last, key=self.last.__getitem__)


def sharpening_choices(search: SearchFolder) -> list[SharpeningChoice]:
    """The choices with two options or more. Options that have weight 0 throughout (P-DARTS dropped them) don't count.

    Empty without a history, or if the method weighs no options.
    """
    lines = [line for line in search.history if 'importance' in line]
    if not lines:
        return []
    places = {line['iteration']: line for line in lines}  # of lines of the same iteration the last
    lines = [places[place] for place, _ in thinned([(place, 0.) for place in sorted(places)])]
    named = choice_names(search.genotype)
    colours: dict[str, int] = {}
    choices = []
    for group in lines[0]['importance']:
        paths = [list(importance_rows(line['importance'][group])) for line in lines]
        rows = [[path[place] for path in paths] for place in range(len(paths[0]))]
        for place, weights in enumerate(rows):
            name, options = _names(named.get(group, []), group, place, len(rows), len(weights[0]))
            curves = [Curve(option, [(line['iteration'], row[i]) for line, row in zip(lines, weights, strict=True)],
                            colours.setdefault(option, len(colours)))
                      for i, option in enumerate(options) if any(row[i] for row in weights)]
            if len(curves) > 1:
                last = {curve.name: curve.points[-1][1] for curve in curves}
                choices.append(SharpeningChoice(name, curves, last, abs(sum(last.values()) - 1) < 1e-3))
    return choices


def _names(named: list[Choice], group: str, place: int, rows: int, options: int) -> Choice:
    """The registered names of a row, or numbers."""
    if len(named) > place and len(named[place].options) == options:
        return named[place]
    return Choice(group if rows == 1 else f'{group} {place + 1}', tuple(f'option {i + 1}' for i in range(options)))


def choice_names(genotype: Genotype | None) -> dict[str, list[Choice]]:
    """The names that the space of an architecture registers; none without an architecture."""
    if genotype is None:
        return {}
    names = format_of(genotype.space).choices
    return {} if names is None else names(genotype.architecture)

