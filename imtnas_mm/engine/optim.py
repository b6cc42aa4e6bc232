"""Builds the three optimiser wrappers of a search: encoder weights, heads, and the architecture A."""
from collections.abc import Callable
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from torch import Tensor, nn

from ..registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS

OPTIMISED = dict(encoder='encoder_weights', head='heads', architecture='architecture')
# rules of paramwise_cfg that look for layers: only heads have any
BY_LAYER = ('bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult', 'dwconv_decay_mult',
            'dcn_offset_lr_mult')
SHOWN = 8  # names in an error


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SearchOptimWrapperConstructor:
    """Builds ``OptimWrapperDict(encoder=..., head=..., architecture=...)``.

    Each is an ordinary mmengine optimiser wrapper config, ``paramwise_cfg``
    and ``clip_grad`` included. It is built on its part of the algorithm alone:
    no weight optimiser holds A, and A's optimiser holds no weight.

    Raises:
        ValueError: names the field. A ``paramwise_cfg`` that does nothing, or
            takes the vector of all layers for one layer, is refused.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError('optim_wrapper.paramwise_cfg: give it to optim_wrapper.encoder, .head or .architecture')
        if set(optim_wrapper_cfg) != set(OPTIMISED):
            raise ValueError(f'optim_wrapper has {sorted(optim_wrapper_cfg)}; a search takes {sorted(OPTIMISED)}')
        for name, cfg in optim_wrapper_cfg.items():
            if cfg.get('accumulative_counts', 1) != 1 or cfg.get('type', 'OptimWrapper') != 'OptimWrapper':
                raise ValueError(f'optim_wrapper.{name}={dict(cfg)}: a search steps once per iteration with a plain '
                                 'OptimWrapper; mixed precision is model.amp=True (--amp)')
            kind = cfg.get('optimizer', {}).get('type')
            if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
                raise ValueError(f'optim_wrapper.{name}.optimizer.type={kind!r}: there is no such optimiser')
            rules = sorted(set(BY_LAYER) & set(cfg.get('paramwise_cfg') or {}))
            if rules and name != 'head':
                raise ValueError(f'optim_wrapper.{name}.paramwise_cfg has {rules}, which are of layers, and '
                                 f'model.{OPTIMISED[name]} has none; it takes custom_keys, by the names of parameters')
        self.cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        for name, part in OPTIMISED.items():
            names = [parameter for parameter, _ in getattr(model, part).named_parameters()]
            for key in (self.cfg[name].get('paramwise_cfg') or {}).get('custom_keys', {}):
                if not any(key in parameter for parameter in names):
                    raise ValueError(f'optim_wrapper.{name}.paramwise_cfg.custom_keys.{key}: no parameter has it in '
                                     f'its name; the parameters of model.{part} are {", ".join(names[:SHOWN])}'
                                     + ', ...' * (len(names) > SHOWN))
        wrappers = {name: build_optim_wrapper(getattr(model, part), self.cfg[name]) for name, part in OPTIMISED.items()}
        for name, wrapper in wrappers.items():
            if wrapper.clip_grad_kwargs:  # else all log their norms under the same name
                wrapper.grad_name = f'{name}.{wrapper.grad_name}'
                keeper: Any = NormKeeper(wrapper.clip_func)  # mmengine's type is that of one of torch's functions
                wrapper.clip_func = keeper
        return OptimWrapperDict(**wrappers)


class NormKeeper:
    """``clip_func`` of an optimiser wrapper that keeps the norms of its steps on their device.

    mmengine's wrapper reads the norm that ``clip_func`` returns, and the host would wait for a GPU at each step.

    Args:
        clip (Callable): ``torch.nn.utils.clip_grad_norm_`` or ``clip_grad_value_``, which returns None.
    """

    def __init__(self, clip: Callable[..., Tensor | None]) -> None:
        self.clip = clip
        self.norms: list[Tensor] = []

    def __call__(self, parameters: list[nn.Parameter], **options: Any) -> None:
        norm = self.clip(parameters, **options)
        if norm is not None:
            self.norms.append(norm)


def take_gradient_norms(optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
    """The means of the norms of all clipped gradients, before clipping, since the last call.

    Returns:
        dict: ``<name of the wrapper>.grad_norm`` -> scalar; nothing for wrappers that took no clipped step.
    """
    means = {}
    for wrapper in optim_wrapper.values():
        keeper = wrapper.clip_func if isinstance(wrapper, OptimWrapper) and wrapper.clip_grad_kwargs else None
        if isinstance(keeper, NormKeeper) and keeper.norms:
            means[wrapper.grad_name] = torch.stack(keeper.norms).mean()
            keeper.norms = []
    return means
