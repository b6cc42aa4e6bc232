"""The base class of derived networks: backbones that are built from an architecture."""
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..checkpoint import CheckpointError, read_checkpoint
from ..compat.modules import BatchNorm, state_metadata
from ..genotype import Genotype, GenotypeError, contradiction, resolve_genotype
from ..space_format import format_of, registered_spaces
from ..stored_architecture import refuse_contradiction, stored_genotype
from .stage_outputs import Stages, stage_outputs

RECORDED = 'architecture'  # what the metadata of a state dict have of each derived network: its space and architecture


def before_last(outputs: Sequence[Tensor], auxiliary: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """All maps; those of an auxiliary classifier stand just before the last output."""
    return (*outputs[:-1], *auxiliary, outputs[-1])


class FreezableStages(nn.Module):
    """A backbone whose frozen parts stay frozen in training; with ``norm_eval`` its batch norms stay in evaluation."""
    norm_eval: bool

    def _freeze(self) -> None:
        """Puts the frozen parts into evaluation mode, without gradients."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, BatchNorm):
                    module.eval()
        return self


class DerivedNet(FreezableStages, BaseModule):
    """A backbone built from an architecture, in stages of falling resolution.

    A search space registers a subclass as its network. The subclass lists the
    modules of each stage in :meth:`_stage_modules` and runs them in
    :meth:`stages`. Its constructor calls :meth:`_freeze` once all modules exist.

    An architecture with ``sharing`` builds a single network of its operations
    here, with a warning. :func:`shared_networks` builds networks that share.

    State dicts record the architecture beside the tensors. Weights of another
    architecture are refused, however they are loaded: also where mmengine's
    loaders would only log entries that don't fit.

    Args:
        architecture (optional): anything that :func:`resolve_genotype` takes;
            by default that of the checkpoint in ``init_cfg``.
        out_indices (tuple[int], optional): stages whose output ``forward``
            returns; the last stage by default.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 all before the stages, n
            also stages 0 to n - 1. Frozen parts have no gradient and stay in
            evaluation mode.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')`` loads the weights of a classifier of the same
            architecture. The weights of another architecture are refused.

    Raises:
        GenotypeError: if the architecture is not valid, or is left out and
            ``init_cfg`` has no checkpoint that holds it.
        CheckpointError: if the architecture is left out and the checkpoint
            can't be read; when weights are loaded, if they are of another
            architecture.
        ValueError: if another argument is not valid.
    """
    joint_config = 'configs/retrain/joint_mbconv_cls_det.py'  # trains networks that share parts
    layers_prefix = 'layers.'  # the entries of the state dict that depend on the architecture start with it

    def __init__(self, architecture: Genotype | dict[str, Any] | str | Path | None = None,
                 out_indices: Sequence[int] | None = None, norm_eval: bool = False, frozen_stages: int = -1,
                 init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None) -> None:
        super().__init__(init_cfg)
        self.genotype = self._pretrained_genotype() if architecture is None else resolve_genotype(architecture)
        space = self.genotype.space
        if not isinstance(self, format_of(space).network):
            built = sorted(name for name, other in registered_spaces().items() if isinstance(self, other.network))
            raise ValueError(f'architecture: its space is {space!r}; {type(self).__name__} builds those of {built}')
        number = format_of(space).stages(self.genotype.architecture)
        out_indices = (number - 1, ) if out_indices is None else out_indices
        if not out_indices or any(i not in range(number) for i in out_indices):
            raise ValueError(f'out_indices={out_indices!r}: {space} has stages 0 to {number - 1}')
        if frozen_stages not in range(-1, number + 1):
            raise ValueError(f'frozen_stages={frozen_stages!r}: {space} takes -1 to {number}')
        if self.genotype.sharing is not None:
            print_log(f'architecture: sharing: the tasks {self.genotype.sharing["tasks"]} share parts of their '
                      f'networks, which a single network leaves out of account; {self.joint_config} trains them '
                      'together', 'current', logging.WARNING)
        self.out_indices = tuple(out_indices)
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self.register_state_dict_post_hook(record_architecture)
        self.register_load_state_dict_pre_hook(check_loaded)

    def blocks(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The modules of each block that a searched branching names.

        Args:
            names (list[str]): the blocks of the search network.

        Returns:
            dict[str, tuple[str]]: name -> paths of modules. Together they are
            the whole network.
        """
        raise NotImplementedError

    def _stage_modules(self, stage: int) -> Sequence[nn.Module]:
        """The modules of a stage. Stage -1 is all that comes before stage 0."""
        raise NotImplementedError

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """The channels of each stage's output."""
        raise NotImplementedError

    @property
    def out_channels(self) -> tuple[int, ...]:
        """The channels of the outputs, without the map of an auxiliary classifier."""
        return tuple(self.stage_channels[i] for i in sorted(self.out_indices))

    def stages(self, x: Tensor, auxiliary: list[Tensor]) -> Stages:
        """Images [N, 3, H, W] -> a generator of the stages, see ``networks.stage_outputs``.

        Args:
            x (Tensor): the images.
            auxiliary (list): the method appends the map of an auxiliary
                classifier to it, if the network has one.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images [N, 3, H, W] -> tuple of feature maps, one per output stage, in the order of depth."""
        auxiliary: list[Tensor] = []
        outputs = enumerate(stage_outputs(self.stages(x, auxiliary)))
        return before_last([output for stage, output in outputs if stage in self.out_indices], auxiliary)

    def init_weights(self) -> None:
        if isinstance(self.init_cfg, dict) and self.init_cfg.get('type') == 'Pretrained':
            self._check_pretrained(self.init_cfg['checkpoint'], self.init_cfg.get('prefix'))
        super().init_weights()

    def _pretrained_genotype(self) -> Genotype:
        if not isinstance(self.init_cfg, dict) or self.init_cfg.get('type') != 'Pretrained':
            raise GenotypeError("architecture: None; it may be left out where init_cfg=dict(type='Pretrained', "
                                'checkpoint=...) names a checkpoint that holds it')
        path = self.init_cfg['checkpoint']
        genotype = stored_genotype(self._read_pretrained(path), path)
        if genotype is None:
            raise GenotypeError(f'architecture: None; {path} of init_cfg does not hold its architecture, so that the '
                                'config must name it')
        return genotype

    @staticmethod
    def _read_pretrained(path: str) -> dict[str, Any]:
        try:
            return read_checkpoint(path)
        except CheckpointError as error:
            raise CheckpointError(f'init_cfg.checkpoint of the backbone: {error}. It must be that of a classifier of '
                                  'this architecture, trained before') from error

    def _check_pretrained(self, checkpoint: str, prefix: str | None) -> None:
        # it names the file, which mmengine's loader keeps from the hooks
        saved = self._read_pretrained(checkpoint)
        refuse_contradiction(saved, checkpoint, self.genotype, 'architecture of the backbone')
        weights, path = saved.get('state_dict', saved), (prefix or '').rstrip('.')
        self.check_weights(weights, f'{path}.' if path else '', state_metadata(weights).get(path, {}), checkpoint)

    def check_weights(self, saved: Mapping[str, Tensor], prefix: str, metadata: Mapping[str, Any], source: str) -> None:
        """Refuse weights of another network.

        Architectures may have weights of the same names and shapes, as two
        cells with other edges do. The metadata tell them apart.

        Args:
            saved (dict[str, Tensor]): a state dict.
            prefix (str): of this network's entries in it.
            metadata (dict): of this network in the state dict; empty if it was
                written by another program.
            source (str): where the weights come from, for the error.

        Raises:
            CheckpointError: they are of another architecture; an entry of this
                network is missing or has another shape; or a layer is unknown
                to it.
        """
        if RECORDED in metadata:
            difference = contradiction(self.genotype, Genotype(**metadata[RECORDED]))
            if difference is not None:
                raise CheckpointError(f'{source}: its weights are of another architecture: here {difference}')
        expected = {prefix + name: tensor for name, tensor in self.state_dict().items()}
        wrong = '; it must be of a network of this architecture and width'
        for name, tensor in expected.items():
            if name not in saved:
                raise CheckpointError(f'{source}: {name}: is missing{wrong}')
            if saved[name].shape != tensor.shape:
                raise CheckpointError(f'{source}: {name}: shape {tuple(saved[name].shape)}, here it is '
                                      f'{tuple(tensor.shape)}{wrong}')
        for name in saved:
            if name.startswith(prefix + self.layers_prefix) and name not in expected:
                raise CheckpointError(f'{source}: {name}: this network has no such layer{wrong}')

    def _freeze(self) -> None:
        for stage in range(-1, self.frozen_stages):
            for module in self._stage_modules(stage):
                module.eval()
                module.requires_grad_(False)


def record_architecture(network: DerivedNet, state: dict[str, Tensor], prefix: str, metadata: dict[str, Any]) -> None:
    """Hook of ``state_dict``: puts the architecture into the metadata of the network."""
    metadata[RECORDED] = dict(space=network.genotype.space, architecture=network.genotype.architecture)


def check_loaded(network: DerivedNet, state: Mapping[str, Tensor], prefix: str, metadata: Mapping[str, Any],
                 *_: Any) -> None:
    """Hook of ``load_state_dict``: raises CheckpointError for the weights of another architecture."""
    network.check_weights(state, prefix, metadata, f'state dict for {prefix.rstrip(".") or type(network).__name__}')
