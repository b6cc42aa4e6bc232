"""The rules of the one-step approximations: the step of a search's optimisers for each parameter."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from ...chain import StepRule

# the optimisers whose steps a chain knows, per setting of model.virtual_step. AdamW's decay is that of SGD
KNOWN: dict[str, tuple[type, ...]] = dict(
    momentum=(torch.optim.SGD, ), weight_decay=(torch.optim.SGD, torch.optim.AdamW),
    clip_grad=(torch.optim.Optimizer, ))


def rules_of(optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], virtual: Mapping[str, bool],
             rate: float | None = None) -> dict[str, StepRule]:
    """The rule of each parameter, by name.

    Args:
        optimizer (Optimizer): holds the parameters.
        parameters (dict[str, Tensor]): by name.
        virtual (dict[str, bool]): ``momentum`` and ``weight_decay``: whether the rules have them.
        rate (float, optional): of all parameters; by default each has the present rate of its group.
    """
    groups = {id(member): group for group in optimizer.param_groups for member in group['params']}
    rules = {}
    for name, parameter in parameters.items():
        group = groups[id(parameter)]
        options = {key: group[key] for key in ('momentum', 'dampening', 'nesterov')} if virtual['momentum'] else {}
        if virtual['weight_decay']:
            options['weight_decay'] = group['weight_decay']
        rules[name] = StepRule(group['lr'] if rate is None else rate, **options,
                               first=buffer_of(optimizer, parameter) is None)
    return rules


def buffer_of(optimizer: torch.optim.Optimizer, parameter: Tensor) -> Tensor | None:
    """The momentum buffer of a parameter; ``None`` before its first step, and without momentum."""
    return optimizer.state.get(parameter, {}).get('momentum_buffer')


def check_known(part: str, optim_wrapper: OptimWrapper, virtual: Mapping[str, bool]) -> None:
    """Refuses an optimiser whose momentum or decay the chain does not know, if ``model.virtual_step`` asks for it.

    Args:
        part (str): ``encoder`` or ``head``.
        optim_wrapper (OptimWrapper): of this part.
        virtual (dict[str, bool]): ``model.virtual_step``.

    Raises:
        ValueError: names the optimiser.
    """
    optimizer = optim_wrapper.optimizer
    for name, known in KNOWN.items():
        if virtual[name] and type(optimizer) not in known and torch.optim.Optimizer not in known:
            raise ValueError(
                f'model.virtual_step.{name}=True with optim_wrapper.{part}.optimizer.type='
                f'{type(optimizer).__name__!r}: the one-step approximation knows the {name} of '
                f'{" and ".join(kind.__name__ for kind in known)} alone. Use {known[0].__name__} there, or '
                f'model.virtual_step.{name}=False')
        if virtual[name] and any(group.get('maximize') for group in optim_wrapper.param_groups):
            raise ValueError(f'model.virtual_step.{name}=True with optim_wrapper.{part}.optimizer.maximize=True: a '
                             'search minimises; leave maximize out')


def check_only_rate(optim_wrapper: OptimWrapper) -> None:
    """Refuses rates per parameter where W has a single rate, as no parameter of the optimiser is W.

    Raises:
        ValueError: names the rates.
    """
    rates = sorted({group['lr'] for group in optim_wrapper.param_groups})
    if len(rates) > 1:
        raise ValueError(
            f"optim_wrapper.encoder.paramwise_cfg gives the parameters the rates {rates}, but the step in W has one "
            "rate (model.step_space='weights'), and no parameter is W. Use model.step_space='hypernetwork', set "
            'model.virtual_rates.encoder, or leave lr_mult out')


def check_same_step(optim_wrapper: OptimWrapper, virtual: Mapping[str, bool]) -> None:
    """Refuses a one-step approximation in V that isn't the step of the optimiser.

    With ``hypernetwork_step='stage'``, stages start from the V that the optimiser has stepped. A's gradient goes
    through V only if the chain makes the same step.

    Raises:
        ValueError: names the settings of the optimiser that the chain lacks.
    """
    where = "model.step_space='hypernetwork' with model.hypernetwork_step='stage'"
    kind = type(optim_wrapper.optimizer)
    if kind is not torch.optim.SGD:
        raise ValueError(f'{where} makes the steps of the optimiser, and knows those of SGD, not of '
                         f"optim_wrapper.encoder.optimizer.type={kind.__name__!r}. Use SGD, or "
                         "model.hypernetwork_step='iteration'")
    has = {name: any(group[name] for group in optim_wrapper.param_groups) for name in ('momentum', 'weight_decay')}
    has['clip_grad'] = bool(optim_wrapper.clip_grad_kwargs)
    missing = [name for name, is_there in has.items() if is_there and not virtual[name]]
    if missing:
        wanted = ', '.join(f'{name}=True' for name, is_there in has.items() if is_there)
        raise ValueError(f'{where} makes the steps of the optimiser, and optim_wrapper.encoder has '
                         f'{" and ".join(missing)}. Set model.virtual_step=dict({wanted}), or take them out of the '
                         'optimiser')


class Clipping:
    """``clip_grad`` of an optimiser wrapper as a differentiable function of all gradients together.

    ``g * min(1, max_norm / (||g|| + 1e-6))``, as ``torch.nn.utils.clip_grad_norm_``, or values clamped to
    ``[-clip_value, clip_value]``, as ``clip_grad_value_`` (``type='value'``).

    Args:
        options (dict): ``clip_grad_kwargs`` of the wrapper.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.max_norm, self.norm_type = options.get('max_norm'), float(options.get('norm_type', 2.))
        self.clip_value = options.get('clip_value')

    @classmethod
    def of(cls, optim_wrapper: OptimWrapper) -> 'Clipping | None':
        """``None`` for a wrapper that doesn't clip."""
        return cls(optim_wrapper.clip_grad_kwargs) if optim_wrapper.clip_grad_kwargs else None

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        if self.clip_value is not None:
            return [gradient.clamp(-self.clip_value, self.clip_value) for gradient in gradients]
        norms = torch.stack([torch.linalg.vector_norm(gradient, self.norm_type) for gradient in gradients])
        factor = (self.max_norm / (torch.linalg.vector_norm(norms, self.norm_type) + 1e-6)).clamp(max=1.)
        return [factor * gradient for gradient in gradients]
