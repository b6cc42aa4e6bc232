"""A copy of all that an iteration of a search changes, to undo iterations."""
import copy

from ..runner import SearchRunner


class KeptState:
    """Copies of the weights, the heads with their statistics, A, the scales of the validation losses and the
    optimisers, as they are now."""

    def __init__(self, runner: SearchRunner) -> None:
        self.runner = runner
        self.states = copy.deepcopy((runner.model.state_dict(), runner.optim_wrapper.state_dict()))

    def put_back(self) -> None:
        """Makes the present state that of the copies, and drops gradients. May be called once."""
        for part, state in zip((self.runner.model, self.runner.optim_wrapper), self.states, strict=True):
            part.load_state_dict(state)
        self.runner.optim_wrapper.zero_grad()
