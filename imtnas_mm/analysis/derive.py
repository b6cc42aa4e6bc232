"""Reads the architecture of a search from its checkpoint, and the figures of its derived network."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from ..checkpoint import CheckpointError, check_state_dict
from ..compat.safe_loading import load_safely
from ..files.config_text import expression_at, keywords, plain_value
from ..genotype import Genotype, load_genotype, plain, resolve_genotype
from ..networks.build import build_network, shared_options
from ..networks.derived import DerivedNet
from ..networks.shared import shared_networks
from ..progress import Progress
from ..registry import MODELS, SCOPE
from ..space_format import format_of
from ..spaces.base import Choices, SearchSpace
from .complexity import count_macs, count_parameters

ALPHAS = 'architecture.alphas.'  # the keys of A in a search checkpoint's state_dict start with it


@dataclass(frozen=True)
class Derived:
    """An architecture and the options that its network takes from the search's config."""
    genotype: Genotype
    options: dict[str, Any]

    def network(self, **options: Any) -> DerivedNet:
        """The backbone, without trained weights; ``options`` of the space's network come before those of the search."""
        return build_network(self.genotype, **{**self.options, **options})

    def complexity(self, height: int, width: int) -> tuple[int, int]:
        """(parameters, multiply-accumulates per image) of the backbone, without any head."""
        network = self.network()
        return count_parameters(network), count_macs(network, (3, height, width))

    def total_parameters(self) -> int:
        """The parameters of all tasks' backbones, where shared parameters count once.

        Without ``sharing``, those of a single backbone.
        """
        if self.genotype.sharing is None:
            return count_parameters(self.network())
        return count_parameters(shared_networks(self.genotype, **self.options))


def derive_from_checkpoint(config: str, checkpoint: str, cfg_options: dict[str, Any] | None = None) -> Derived:
    """The architecture of a search checkpoint.

    Args:
        config (str): the file of the search's config. Its
            ``model.search_space`` is built.
        checkpoint (str): a file that a search of this config wrote.
        cfg_options (dict, optional): merged into the config.

    Returns:
        Derived: its genotype's source names config, checkpoint and iteration.

    Raises:
        CheckpointError: if the checkpoint doesn't fit the config.
        ValueError: if the config is not the config of a search.
    """
    space, cfg = space_of_config(config, cfg_options)
    options = cfg.model.search_space
    saved = load_weights(checkpoint)
    alphas = read_alphas(saved, space.alpha_shapes(), checkpoint, config)
    if 'progress' in saved['state_dict']:
        space.set_progress(Progress.of(saved['state_dict']['progress']))
    source = dict(config=Path(config).name, checkpoint=Path(checkpoint).name)
    if 'iter' in saved.get('meta', {}):
        source['iteration'] = saved['meta']['iter']
    genotype = space.derive(alphas).described(source)
    check_scale(saved, genotype.space, options, checkpoint, config)
    return Derived(genotype, shared_options(genotype.space, options))


def space_of_config(config: str, cfg_options: dict[str, Any] | None = None) -> tuple[Choices, Config]:
    """The choices that the search of a config makes, and the config.

    Args:
        config (str): the file of the search's config.
        cfg_options (dict, optional): merged into the config.

    Raises:
        ValueError: if the config is not the config of a search.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(cfg_options or {})
    init_default_scope(cfg.get('default_scope', SCOPE))
    options = cfg.get('model', {}).get('search_space')
    if options is None:
        raise ValueError(f'{config}: model.search_space: is missing; it must be the config of a search')
    return searched_choices(cfg, MODELS.build(options)), cfg


def derived_from_file(config: str, architecture: str, cfg_options: dict[str, Any] | None = None) -> Derived:
    """The architecture of a file, with the scale that a config sets.

    Args:
        config (str): a config file. Its ``custom_imports`` may register the
            space; its ``model.search_space``, if there is any, sets the scale.
        architecture (str): an architecture file.
        cfg_options (dict, optional): merged into the config.

    Raises:
        GenotypeError: if the file is not valid.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(cfg_options or {})
    genotype = load_genotype(architecture)
    return Derived(genotype, shared_options(genotype.space, cfg.get('model', {}).get('search_space') or {}))


def architecture_of(source: str, config: str | None = None, cfg_options: dict | None = None) -> Derived:
    """The architecture that a command line names.

    Args:
        source (str): an architecture file; a published name; a string in the
            notation of a benchmark; with a config also a checkpoint of its search.
        config (str, optional): a config file.
        cfg_options (dict, optional): merged into the config.

    Raises:
        ValueError: if it names none.
    """
    if config is None:
        if source.endswith('.pth'):
            raise ValueError(f'{source}: a checkpoint is read with the --config of its search')
        return Derived(resolve_genotype(source), {})
    if source.endswith('.json'):
        return derived_from_file(config, source, cfg_options)
    return derive_from_checkpoint(config, source, cfg_options)


def searched_choices(cfg: Config, space: SearchSpace) -> Choices:
    """The choices that the search of a config makes: those of its space, and those of its method, if any."""
    method = MODELS.get(cfg.model.get('type', 'IMTNAS'))
    return space if method is None else method.choices(space, cfg.model, cfg.get('train_cfg', {}).get('order') or ())


def load_weights(checkpoint: str) -> dict[str, Any]:
    """A checkpoint of mmengine's layout. Code that the file may hold doesn't run.

    Raises:
        CheckpointError: if the file can't be loaded, or has no ``state_dict``.
    """
    try:
        saved = load_safely(checkpoint)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise CheckpointError(f'{checkpoint}: cannot be loaded: {lines[0]}; it must be a checkpoint that the search '
                              'wrote') from error
    if not isinstance(saved, dict) or not isinstance(saved.get('state_dict'), dict):
        raise CheckpointError(f'{checkpoint}: state_dict: is missing; it must be a checkpoint that the search wrote')
    return saved


def read_alphas(saved: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], checkpoint: str, config: str
                ) -> dict[str, Tensor]:
    """The alphas of a loaded checkpoint by group, in the order of the space.

    Raises:
        CheckpointError: if groups, shapes or values don't fit the space.
    """
    alphas = {key: value for key, value in saved['state_dict'].items() if key.startswith(ALPHAS)}
    expected = {ALPHAS + name: torch.empty(shape, device='meta') for name, shape in shapes.items()}
    check_state_dict(checkpoint, alphas, expected, f'the search of {config}')
    for key, alpha in alphas.items():
        if not alpha.isfinite().all():
            raise CheckpointError(f'{checkpoint}: {key}: {alpha.tolist()}; alphas must be finite, this search diverged')
    return {key.removeprefix(ALPHAS): alphas[key].float() for key in expected}


def check_scale(saved: Mapping[str, Any], space: str, options: Mapping[str, Any], checkpoint: str, config: str) -> None:
    """Compares the options that A's shapes don't show with those in the checkpoint: the scale, and recorded options.

    Raises:
        CheckpointError: if an option differs.
    """
    searched = keywords(expression_at(saved.get('meta', {}).get('cfg', ''), 'model', 'search_space'))
    if not searched:
        return  # the checkpoint was stripped of its config
    space_format = format_of(space)
    for name in (*space_format.network_options, *space_format.recorded_options):
        saved_option = plain_value(searched[name]) if name in searched else None
        option = options.get(name)
        if plain(option) != plain(saved_option):
            raise CheckpointError(f'{checkpoint}: model.search_space.{name}: {saved_option!r} in its search, '
                                  f'{option!r} in {config}; give the config and --cfg-options of the search')
