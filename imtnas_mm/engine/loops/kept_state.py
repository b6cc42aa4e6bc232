"""A copy of all that an iteration of a search changes, to undo iterations."""
import copy

from ...transport import tensors_of, with_tensors
from ..runner import SearchRunner


class KeptState:
    """Copies of the weights, the heads with their statistics, A, the scales of the validation losses and the
    optimisers, as they are now.

    Args:
        on_host (bool): whether the copies are on the host, so that a GPU has no less memory.
    """

    def __init__(self, runner: SearchRunner, on_host: bool = False) -> None:
        self.runner = runner
        states = runner.model.state_dict(), runner.optim_wrapper.state_dict()
        self.states = with_tensors(states, (tensor.detach().to('cpu', copy=True) for tensor in tensors_of(states))
                                   ) if on_host else copy.deepcopy(states)

    def put_back(self) -> None:
        """Makes the present state that of the copies, and drops gradients. May be called once."""
        for part, state in zip((self.runner.model, self.runner.optim_wrapper), self.states, strict=True):
            part.load_state_dict(state)
        self.runner.optim_wrapper.zero_grad()
