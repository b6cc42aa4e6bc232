"""Records, the parts of a chain, and the sweep that carries adjoints back through them."""
from abc import ABC, abstractmethod
from collections.abc import Sequence

from .adjoints import Adjoints
from .pullbacks import Pullback, exact_pullback


class Record(ABC):
    """One part of a computation, with all that is needed to pull adjoints of its results back to its inputs.

    It holds values; the graph of an inner gradient is made when it is pulled back, unless it was kept
    (:class:`KeptGradient`).
    """

    @abstractmethod
    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None) -> None:
        """Takes the adjoints of the results, and adds their pullbacks to the adjoints of the inputs.

        It frees every graph that it builds.

        Args:
            adjoints (Adjoints): complete for the results: all later records were pulled back.
            pullback (callable, optional): differentiates inner gradients;
                ``None`` treats inner gradients as constants.
        """


def sweep(records: Sequence[Record], adjoints: Adjoints, pullback: Pullback | None = exact_pullback) -> None:
    """Carries the adjoints of a chain's results back to its outer variables, from the last record to the first.

    Args:
        records (sequence of Record): in the order in which they were made.
        adjoints (Adjoints): of the results, for example from a loss; afterwards of the outer variables.
        pullback (callable, optional): see :meth:`Record.pull_back`.
    """
    for record in reversed(records):
        record.pull_back(adjoints, pullback)
