"""What a run does where a loss, a gradient or a weight is NaN or infinite."""
import copy
import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from ...finite import NonFiniteError, check_finite
from ...registry import HOOKS

CHOICES = ('stop', 'skip')
SKIPPED = 'skipped_iterations'  # in the log, and in mmengine's message hub, which checkpoints keep


def check_state(where, model, optim_wrapper):
    """Raises :class:`NonFiniteError` unless all parameters and all that the optimisers keep are finite."""
    model = model.module if is_model_wrapper(model) else model
    wrappers = dict(optim_wrapper.items()) if hasattr(optim_wrapper, 'items') else {'': optim_wrapper}
    kept = {
        f'the state of the optimiser {name}'.rstrip(): [
            value for state in wrapper.optimizer.state.values() for value in state.values()
            if hasattr(value, 'is_floating_point') and value.is_floating_point()]
        for name, wrapper in wrappers.items()
    }
    check_finite(where, {**{name: [parameter] for name, parameter in model.named_parameters()}, **kept})


class IterationGuard:
    """Runs a search's iterations with ``train_cfg.non_finite``.

    ``stop`` lets a :class:`NonFiniteError` end the run. ``skip`` undoes the
    whole iteration: weights, heads with their statistics, A, the scales of the
    validation losses and the optimisers are as they were before it. For that
    it holds a second copy of them.
    """

    def __init__(self, choice):
        if choice not in CHOICES:
            raise ValueError(f'train_cfg.non_finite={choice!r} is not one of {CHOICES}')
        self.choice = choice

    def __call__(self, runner, iteration):
        """Runs ``iteration()`` and returns its figures.

        Raises:
            NonFiniteError: with ``stop``; all ranks raise it together.
        """
        model, optimisers = runner.model, runner.optim_wrapper
        if self.choice == 'skip':
            before = copy.deepcopy((model.state_dict(), optimisers.state_dict()))
        skipped = runner.message_hub.get_info(SKIPPED, 0)
        try:
            figures = iteration()
            check_state(f'iteration {runner.iter + 1}, after its steps', model, optimisers)
        except NonFiniteError as error:
            if self.choice == 'stop':
                raise NonFiniteError(f"{error}. The checkpoints are from before it; train_cfg.non_finite='skip' leaves "
                                     'such iterations out') from error
            for part, state in zip((model, optimisers), before, strict=True):
                part.load_state_dict(state)
            optimisers.zero_grad()
            figures, skipped = {}, skipped + 1
            runner.message_hub.update_info(SKIPPED, skipped)
            print_log(f'{error}. This iteration is left out; {skipped} so far', 'current', logging.WARNING)
        return dict(figures, **{SKIPPED: skipped}) if self.choice == 'skip' else figures


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops a training of mmengine's loops at the iteration that a loss or, where a checkpoint is to be written, a
    weight is not finite.

    mmdet's CheckInvalidLossHook looks at the loss alone, and by its default at
    that of every 50th iteration: a checkpoint between is written.
    """
    priority = 'HIGH'  # before what logs and saves

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {name: [value] for name, value in (outputs or {}).items() if hasattr(value, 'is_floating_point')}
        check_finite(f'iteration {runner.iter + 1}', losses)

    def before_save_checkpoint(self, runner, checkpoint):
        check_state(f'iteration {runner.iter + 1}, the checkpoint is not written', runner.model, runner.optim_wrapper)
