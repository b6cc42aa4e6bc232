"""What the derived networks of all spaces have in common as backbones."""
import logging

from mmengine.logging import print_log
from mmengine.model import BaseModule

from ..checkpoint import CheckpointError, read_checkpoint
from ..compat.modules import BatchNorm
from ..genotype import resolve_genotype
from ..space_format import format_of, registered_spaces
from .stage_outputs import stage_outputs


def before_last(outputs, auxiliary):
    """tuple of all maps, those of an auxiliary classifier just before the last output."""
    return (*outputs[:-1], *auxiliary, outputs[-1])


class FreezableStages:
    """``train`` of a backbone with ``_freeze`` and ``norm_eval``: what is frozen stays so, norms evaluate if asked."""

    def train(self, mode=True):
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, BatchNorm):
                    module.eval()
        return self


class DerivedNet(FreezableStages, BaseModule):
    """A backbone built from an architecture, in stages of falling resolution; its space registers it as its network.

    A subclass calls :meth:`_freeze` when its modules stand, says by
    :meth:`_stage_modules` what a stage consists of, and runs them in
    :meth:`stages`.

    An architecture that says what several tasks share gives one network of its
    operations here, with a warning; :func:`shared_networks` builds those that
    share.

    Args:
        architecture: what :func:`resolve_genotype` takes.
        out_indices (tuple[int], optional): stages whose output ``forward``
            returns; the last one by default.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        frozen_stages (int): -1 freezes nothing, 0 what comes before the
            stages, n also stages 0 to n - 1. What is frozen has no gradient
            and stays in evaluation mode.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')`` loads the weights of a classifier of the same
            architecture; another architecture's are refused.

    Raises:
        GenotypeError: if the architecture is not valid.
        ValueError: if another argument is not.
    """
    joint_config = 'configs/retrain/joint_mbconv_cls_det.py'  # trains networks that share parts
    layers_prefix = 'layers.'  # of the entries of the state dict that depend on the architecture

    def __init__(self, architecture, out_indices=None, norm_eval=False, frozen_stages=-1, init_cfg=None):
        super().__init__(init_cfg)
        self.genotype = resolve_genotype(architecture)
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
                      f'networks, which one network by itself leaves out of account; {self.joint_config} trains them '
                      'together', 'current', logging.WARNING)
        self.out_indices = tuple(out_indices)
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages

    def blocks(self, names):
        """The paths of the modules of the blocks that a searched branching names.

        Args:
            names (list[str]): the blocks of the search network.

        Returns:
            dict[str, tuple[str]]: by name; together all of this network.
        """
        raise NotImplementedError

    def _stage_modules(self, stage):
        """The modules of a stage; -1 is what comes before them."""
        raise NotImplementedError

    @property
    def stage_channels(self):
        """tuple[int]: the channels of each stage's output."""
        raise NotImplementedError

    @property
    def out_channels(self):
        """tuple[int]: the channels of the outputs, without an auxiliary one."""
        return tuple(self.stage_channels[i] for i in sorted(self.out_indices))

    def stages(self, x, auxiliary):
        """Images [N, 3, H, W] -> generator as in ``networks.stage_outputs``.

        Args:
            x (Tensor): the images.
            auxiliary (list): gets the map of an auxiliary classifier, where
                the network has one.
        """
        raise NotImplementedError

    def forward(self, x):
        """Images [N, 3, H, W] -> tuple of feature maps, one an output stage, in the order of depth."""
        auxiliary = []
        outputs = enumerate(stage_outputs(self.stages(x, auxiliary)))
        return before_last([output for stage, output in outputs if stage in self.out_indices], auxiliary)

    def init_weights(self):
        if isinstance(self.init_cfg, dict) and self.init_cfg.get('type') == 'Pretrained':
            self._check_pretrained(self.init_cfg['checkpoint'], self.init_cfg.get('prefix'))
        super().init_weights()

    def _check_pretrained(self, checkpoint, prefix):
        # mmengine loads what fits and only logs the rest, which would leave layers at random weights.
        try:
            saved = read_checkpoint(checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f'init_cfg.checkpoint of the backbone: {error}. It must be that of a classifier of '
                                  'this architecture, trained before') from error
        saved = saved.get('state_dict', saved)
        prefix = f'{prefix.rstrip(".")}.' if prefix else ''
        own = {prefix + name: tensor for name, tensor in self.state_dict().items()}
        wrong = '; it must be of a network of this architecture and width'
        for name, tensor in own.items():
            if name not in saved:
                raise ValueError(f'{checkpoint}: {name}: is missing{wrong}')
            if saved[name].shape != tensor.shape:
                raise ValueError(f'{checkpoint}: {name}: shape {tuple(saved[name].shape)}, here it is '
                                 f'{tuple(tensor.shape)}{wrong}')
        for name in saved:
            if name.startswith(prefix + self.layers_prefix) and name not in own:
                raise ValueError(f'{checkpoint}: {name}: this network has no such layer{wrong}')

    def _freeze(self):
        for stage in range(-1, self.frozen_stages):
            for module in self._stage_modules(stage):
                module.eval()
                module.requires_grad_(False)
