"""What a chain is made of, and the sweep through it."""
from abc import ABC, abstractmethod
from collections.abc import Sequence

from .adjoints import Adjoints
from .pullbacks import Pullback, exact_pullback


class Record(ABC):
    """What one stage of a computation leaves: enough to pull adjoints of its results back to its inputs.

    It holds values, no graph.
    """

    @abstractmethod
    def pull_back(self, adjoints: Adjoints, pullback: Pullback | None) -> None:
        """Takes the adjoints of the stage's results, and adds what follows from them to those of its inputs.

        A graph that it makes for that is gone when it returns.

        Args:
            adjoints (Adjoints): complete for the results: all later records were pulled back.
            pullback (callable, optional): how an inner gradient is
                differentiated; ``None`` takes inner gradients for constants.
        """


def sweep(records: Sequence[Record], adjoints: Adjoints, pullback: Pullback | None = exact_pullback) -> None:
    """Carries the adjoints of a chain's results back to its outer variables, from the last record to the first.

    Args:
        records (sequence of Record): in the order in which they were made.
        adjoints (Adjoints): of the results, say by a loss; afterwards they hold those of the outer variables.
        pullback (callable, optional): see :meth:`Record.pull_back`.
    """
    for record in reversed(records):
        record.pull_back(adjoints, pullback)
