"""The Runners of searches, joint trainings and other retrainings, subclasses of mmengine's."""
from typing import Any

from mmengine.device import get_device
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Priority, Runner
from mmengine.runner.runner import ParamSchedulerType
from torch import nn
from torch.optim import Optimizer
from torch.serialization import MAP_LOCATION

from ..algorithms.base import SearchAlgorithm
from ..checkpoint import CheckpointError, check_resumable, check_state_dict, read_checkpoint, with_later_entries
from ..registry import RUNNERS
from .console import shorten_console
from .replica_checks import check_replicas

# options of retrainings
WITHOUT_EFFECT = ('compile', 'activation_checkpointing', 'efficient_conv_bn_eval', 'find_unused_parameters')


class RetrainRunner(Runner):
    """mmengine's Runner with a short console; the log file has everything."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        shorten_console(logger)
        return logger


class ResumableRunner(RetrainRunner):
    """Resumes within an epoch. Epochs of another length are refused: iterations would be skipped or repeated."""

    def set_randomness(self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False) -> None:
        if diff_rank_seed:
            raise ValueError('randomness.diff_rank_seed=True: all processes share one seed, from which each '
                             'draws its own data, views and dropout, and all the same order and paths')
        super().set_randomness(seed, deterministic=deterministic)

    def save_checkpoint(self, *args: Any, meta: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().save_checkpoint(*args, meta=dict(meta or {}, epoch_length=len(self.train_dataloader)), **kwargs)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        super().resume(filename, *args, **kwargs)
        saved, here = self._loaded_meta.get('epoch_length'), len(self.train_dataloader)
        if saved != here:
            raise CheckpointError(f'{filename}: epochs had {saved} iterations in its training and have {here} here, '
                                  'for batch sizes or the number of processes changed; set '
                                  f'train_cfg.epoch_length={saved} to go on with it')

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        self._loaded_meta = checkpoint.get('meta', {})
        return checkpoint


@RUNNERS.register_module()
class JointRunner(ResumableRunner):
    """Trains a :class:`JointModel` over the dataloaders and evaluators of several tasks."""


@RUNNERS.register_module()
class SearchRunner(ResumableRunner):
    """Runs a search: one model over the dataloaders and evaluators of several tasks.

    - The model gets ``train_cfg.rounds`` and ``train_cfg.order``: the number of
      its heads and encoder weights depends on them.
    - DistributedDataParallel doesn't wrap the model, since its hooks miss
      weights that are used functionally. The model averages gradients itself.
    - No checkpoint is written while ranks differ.
    - A checkpoint must fit the model entry by entry.
    """
    model: SearchAlgorithm
    optim_wrapper: OptimWrapperDict

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        if isinstance(model, dict):
            train_cfg = self._train_loop if isinstance(self._train_loop, dict) else self.cfg.get('train_cfg')
            for key in ('rounds', 'order'):
                if key in model:
                    raise ValueError(f'model.{key}={model[key]!r}: set train_cfg.{key} instead; the model takes it '
                                     'from there')
                if not train_cfg or key not in train_cfg:
                    raise ValueError(f'train_cfg.{key} is missing; it says how the tasks are interleaved, as in '
                                     "train_cfg=dict(type='InterleavedSearchLoop', rounds=3, order=('cls', 'det'))")
            if isinstance(train_cfg['order'], str):
                raise ValueError(f"train_cfg.order={train_cfg['order']!r} must be a list of tasks, as in "
                                 f"[{train_cfg['order']!r}]")
            if not isinstance(train_cfg['rounds'], int):
                raise ValueError(f"train_cfg.rounds={train_cfg['rounds']!r} must be a whole number")
            model = dict(model, rounds=train_cfg['rounds'], order=train_cfg['order'])
            model.setdefault('seed', self.seed)
        return super().build_model(model)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        if model_wrapper_cfg is not None:
            raise ValueError(f'model_wrapper_cfg={model_wrapper_cfg!r}: a search is not wrapped')
        if self.cfg.get('sync_bn') is not None:
            raise ValueError(f'sync_bn={self.cfg.sync_bn!r}: a search has no synchronised batch normalisation; use '
                             "norm_cfg=dict(type='GN', num_groups=8) where ranks have few images each")
        for name in WITHOUT_EFFECT:
            if self.cfg.get(name):
                raise ValueError(f'{name}={self.cfg[name]!r}: it acts on the forward pass of a wrapped or compiled '
                                 'model, which a search does not call; leave it out')
        return model.to(get_device())

    def register_hook(self, hook: Hook | dict[str, Any], priority: str | int | Priority | None = None) -> None:
        super().register_hook(hook, priority)
        if any(isinstance(registered, EMAHook) for registered in self.hooks):
            raise ValueError('custom_hooks: EMAHook would average A with the weights, and a checkpoint would hold '
                             'another architecture than the search derives; it is for retrainings')

    def scale_lr(self, optim_wrapper: OptimWrapper, auto_scale_lr: dict[str, Any] | None = None) -> None:
        if auto_scale_lr and auto_scale_lr.get('enable'):
            raise ValueError('auto_scale_lr.enable=True: a search has several batch sizes and optimisers; set '
                             'optim_wrapper.encoder, .head and .architecture yourself')

    def build_optim_wrapper(self, optim_wrapper: Optimizer | OptimWrapper | dict[str, Any]) -> OptimWrapperDict:
        built = super().build_optim_wrapper(optim_wrapper)
        if not isinstance(built, OptimWrapperDict):
            raise ValueError("optim_wrapper: a search needs constructor='SearchOptimWrapperConstructor' and an "
                             'optimiser wrapper for each of encoder, head and architecture')
        return built

    def build_param_scheduler(self, scheduler: Any) -> ParamSchedulerType:
        if isinstance(scheduler, dict) and 'type' in scheduler or isinstance(scheduler, list) and scheduler:
            raise ValueError('param_scheduler: a search has one list of schedulers per optimiser, as in '
                             "dict(encoder=[...], head=[...]), so that no schedule meant for weights changes A's rate; "
                             f'got {scheduler!r}')
        if isinstance(scheduler, dict):  # an optimiser without a schedule keeps its rate
            optimisers = self.optim_wrapper
            unknown = sorted(set(scheduler) - set(optimisers.keys()))
            if unknown:
                raise ValueError(f'param_scheduler has {unknown}; a search takes {sorted(optimisers.keys())}')
            scheduler = {name: scheduler.get(name, []) for name in optimisers.keys()}
        return super().build_param_scheduler(scheduler)

    def load_checkpoint(self, filename: str, map_location: MAP_LOCATION = 'cpu', strict: bool = True,
                        revise_keys: list | None = None) -> dict[str, Any]:
        """As mmengine's, but a missing or unknown entry and another shape are errors."""
        checkpoint = read_checkpoint(filename, map_location)
        if self._resume:
            check_resumable(filename, checkpoint)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        state = with_later_entries(checkpoint.get('state_dict', checkpoint), self.model)
        check_state_dict(filename, state, self.model.state_dict(), 'this search')
        self.model.load_state_dict(state)
        self._has_loaded = True
        self._loaded_meta = checkpoint.get('meta', {})
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def save_checkpoint(self, *args: Any, meta: dict[str, Any] | None = None, by_epoch: bool = True,
                        **kwargs: Any) -> None:
        """As mmengine's, but raises where ranks differ; all ranks call it."""
        check_replicas(self.model, self.iter if by_epoch else self.iter + 1)
        super().save_checkpoint(*args, meta=meta, by_epoch=by_epoch, **kwargs)
