"""Builds the three optimiser wrappers of a search: encoder weights, heads, and the architecture A."""
from typing import Any

from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

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
        return OptimWrapperDict(**wrappers)
