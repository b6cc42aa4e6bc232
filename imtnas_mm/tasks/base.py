"""Base class of tasks: a detector or classifier that computes with weights passed in by the search."""
import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import torch
from mmcv.ops import SyncBatchNorm
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn
from torch.func import functional_call

from ..compat.preprocessing import normalizes, reverses_colours
from ..encoders import ParameterLayout
from ..layers.convolution import make_twice_differentiable
from ..registry import scoped
from ..spaces.base import KnownGates, SearchSpace, Supernet, gate_names
from ..transport import to_device
from .resizing import resized

BACKBONE = 'backbone.'
SYNCHRONISED = (nn.SyncBatchNorm, SyncBatchNorm)  # norm_cfg types SyncBN and MMSyncBN


def check_normalisation(model: nn.Module, norm_cfg: Mapping[str, Any] | None) -> None:
    """Raises ValueError for a model that synchronises batch statistics over ranks.

    The gradient of the architecture A needs second derivatives, which
    synchronised layers lack. They also communicate within the backward pass,
    and PyTorch's needs GPUs.

    Args:
        model (nn.Module): with the search space as its backbone.
        norm_cfg (dict): of the space, for the message.
    """
    for name, module in model.named_modules():
        if isinstance(module, SYNCHRONISED):
            where = f'search_space.norm_cfg={norm_cfg!r}' if name.startswith(BACKBONE) else f'model.{name}'
            raise ValueError(f"{where} is synchronised batch normalisation, which has no second derivative; a search "
                             "takes norm_cfg=dict(type='GN', num_groups=8), which needs no other image, or "
                             "dict(type='BN', affine=False, track_running_stats=False), whose statistics are per rank")


class Head(nn.Module):
    """H: a model without its backbone and preprocessor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, child in model.named_children():
            if name not in ('backbone', 'data_preprocessor'):
                self.add_module(name, copy.deepcopy(child))

    def trained(self) -> dict[str, Tensor]:
        """Trainable parameters, by their names in the model."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def constants(self) -> dict[str, Tensor]:
        """Buffers and frozen parameters."""
        frozen = {name: p for name, p in self.named_parameters() if not p.requires_grad}
        return {**dict(self.named_buffers()), **frozen}

    def tensors(self) -> dict[str, Tensor]:
        return {**self.trained(), **self.constants()}


def _call(module: nn.Module, tensors: dict[str, Tensor], *args: Any, **kwargs: Any) -> Any:
    """A call of a module with these tensors in the place of its own.

    ``tie_weights=False`` skips a search for shared tensors, which takes a tenth of a small network's time. Modules on
    the meta device share none.
    """
    return functional_call(module, tensors, args, kwargs, tie_weights=False)


class Task(nn.Module):
    """One task k: a model with loss and predictions, but without weights.

    The model's backbone is the search space; its other parts (neck, heads) are
    the paper's head H. The model is built once, for its code, and its
    parameters are dropped. Every call takes the encoder weights, the gates
    (how the space mixes its operations) and the head.

    Args:
        model (dict): config of a detector or classifier without its backbone.
        search_space (dict): config of the space, which becomes the backbone.
        backbone (dict, optional): this task's options of the space, such as
            ``out_indices``. They may not change weights.

    Raises:
        ValueError: names the field.

    Subclasses set ``scope``, the library in which names in ``model`` are looked up.
    """
    scope: str | None = None
    # libraries don't declare the types of these attributes
    template: Any
    data_preprocessor: Any
    initial_head: Head
    replayable = False  # whether the loss takes the same kernels for all values of a batch

    def __init__(self, model: Mapping[str, Any], search_space: Mapping[str, Any],
                 backbone: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if 'backbone' in model:
            raise ValueError(f"{type(self).__name__}: model.backbone={model['backbone']} is given, but a task's "
                             "backbone is the search space; options of it go to the task's own `backbone` field")
        space = scoped(dict(search_space, **(backbone or {})))
        if space.get('init_cfg') is not None:
            raise ValueError(f'search_space.init_cfg={space["init_cfg"]!r}: the weights of a search network are those '
                             'of model.encoder_weights, which start as the layers do by themselves; leave it out')
        # ConfigDict: heads read their test_cfg by attribute
        built = ROOT_MODELS.build(ConfigDict(model, backbone=space, _scope_=model.get('_scope_', self.scope)))
        check_normalisation(built, space.get('norm_cfg'))
        self.layout = ParameterLayout.of(built.backbone)
        self.data_preprocessor = built.data_preprocessor
        supernet = built.backbone
        built.backbone = nn.Identity()  # the space's weights come from outside: nothing to initialise
        built.init_weights()
        built.backbone = supernet
        self.known_gates = KnownGates(supernet)
        self.spaces = tuple(part for part in supernet.modules() if isinstance(part, SearchSpace))
        # 'loss' and 'embed', where its pass keeps only the inputs of blocks
        self.recompute: frozenset[str] = frozenset()
        gates = gate_names(supernet)
        statistics = [name for name, _ in supernet.named_buffers() if name not in gates]
        if statistics:
            raise ValueError(f'search_space.norm_cfg={space.get("norm_cfg")!r} keeps running statistics '
                             f'({statistics[0]}), but encoder weights change with every stage; use '
                             'track_running_stats=False or GN')
        head = Head(built)
        outside = [name for name, _ in built.named_parameters() if not name.startswith(BACKBONE)]
        unreached = [name for name in outside if name not in head.tensors()]
        if unreached:
            raise ValueError(f'{type(built).__name__} has parameters outside its child modules, which a task does not '
                             f'reach: {unreached}')
        del built.data_preprocessor
        make_twice_differentiable(built)
        built.to('meta')
        built.data_preprocessor = self.data_preprocessor
        # outside the module tree: they hold nothing to train, save or move
        object.__setattr__(self, 'template', built)
        object.__setattr__(self, 'initial_head', head)

    def build_head(self) -> Head:
        """A head H with its library's initial values; parameters and buffers have their names in the model."""
        return copy.deepcopy(self.initial_head)

    @property
    def space(self) -> Supernet:
        """The backbone."""
        return self.template.backbone

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.template.train(mode)
        return self

    def preprocess(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        """A raw batch of a loader -> the data of :meth:`loss` or :meth:`predict`."""
        return self.data_preprocessor(data, training)

    def _backbone_tensors(self, encoder: Tensor, gates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gates and weights by the backbone's names, without the weights that no sampled path uses."""
        on_host = getattr(gates, 'on_host', None)
        unused = frozenset() if on_host is None else self.space.unused(on_host)
        return {**self.layout.named(encoder, unused), **gates}

    def _tensors(self, encoder: Tensor, gates: Mapping[str, Tensor], head: Mapping[str, Tensor]) -> dict[str, Tensor]:
        inside = self._backbone_tensors(encoder, gates)
        return {**{BACKBONE + name: tensor for name, tensor in inside.items()}, **head}

    @contextmanager
    def _recomputing(self, method: str) -> Iterator[None]:
        for space in self.spaces:
            space.recompute = method in self.recompute
        try:
            yield
        finally:
            for space in self.spaces:
                space.recompute = False

    def loss(self, encoder: Tensor, gates: Mapping[str, Tensor], head: Mapping[str, Tensor],
             data: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """The task's training loss L_k(A, W, H, D).

        Args:
            encoder (Tensor): W, [D].
            gates (dict[str, Tensor]): of the space, at A.
            head (dict[str, Tensor]): parameters and buffers of H by name.
                Running statistics are changed in place.
            data (dict): a preprocessed batch.

        Returns:
            (Tensor, dict[str, Tensor]): the loss and its parts for the log.
        """
        with self.known_gates(gates), self._recomputing('loss'):
            losses = _call(self.template, self._tensors(encoder, gates, head), **data, mode='loss')
        return self.template.parse_losses(losses)

    @torch.no_grad()
    def predict(self, encoder: Tensor, gates: Mapping[str, Tensor], head: Mapping[str, Tensor],
                data: dict[str, Any]) -> list:
        """Data samples with predictions for a preprocessed batch."""
        return _call(self.template, self._tensors(encoder, gates, head), **data, mode='predict')

    def embed(self, encoder: Tensor, gates: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """The embedding of images: the last feature map, averaged over its pixels.

        Args:
            encoder (Tensor): W, [D].
            images (Tensor): [N, 3, H, W] in [0, 1], in the model's colour order.

        Returns:
            Tensor: [N, F].
        """
        pre = self.data_preprocessor
        images = images * 255
        if normalizes(pre):
            images = (images - pre.mean.to(images)) / pre.std.to(images)
        tensors = self._backbone_tensors(encoder, gates)
        with self.known_gates(gates), self._recomputing('embed'), self.space.deterministic():
            return _call(self.template.backbone, tensors, images)[-1].mean((2, 3))

    def examples(self, inputs: Iterable[Tensor], image_size: int) -> Tensor:
        """Raw images of a loader, uint8 [3, H, W] each, as [N, 3, image_size, image_size] in [0, 1], in the model's
        colour order."""
        pre = self.data_preprocessor
        return resized(to_device(list(inputs), pre.device), image_size, reverses_colours(pre))

    def extra_repr(self) -> str:
        return f'model={type(self.template).__name__}, D={self.layout.size}'
