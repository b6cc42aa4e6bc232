"""Searching, deriving and loading architectures from Python: ``from imtnas_mm import search, derive, ...``."""
import copy
import logging
import os.path as osp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from .analysis.certainty import certainty_of
from .analysis.derive import Derived, architecture_of, derive_from_checkpoint
from .engine.launch import is_search
from .engine.launch.checks import make_work_dir
from .engine.launch.config import merge_options, restrict_single_task, unread_field, warn_of_names
from .engine.launch.train import run
from .genotype import Genotype, load_genotype, resolve_genotype
from .networks.build import shared_options
from .networks.derived import DerivedNet


def search(config: str | Path | Config, work_dir: str | Path | None = None, *, resume: bool = False,
           **options: Any) -> Derived:
    """Search an architecture as tools/train.py does, in this process.

    ::

        found = search('configs/imtnas_demo.py', 'work_dirs/mine', train_cfg=dict(max_epochs=2))
        backbone = found.network(out_indices=(1, 3, 5))
        features = backbone(images)  # three maps

    Args:
        config: a file, or a Config, which is left as it is.
        work_dir: gets logs, checkpoints and ``architecture.json``; by default
            that of the config, or ``work_dirs/`` and the name of its file.
        resume: go on from the last checkpoint in the work dir, if there is one.
        **options: merged into the config, nested (``train_cfg=dict(...)``)
            or by dots (``**{'train_cfg.max_epochs': 2}``).

    Returns:
        Derived: the architecture (``genotype``), and its backbone (``network()``).

    Raises:
        ValueError: the config is of no search; an option sets a field that nothing
            reads; the work dir can't be written to; or a field has a wrong value.
        DataError: the data don't exist or can't be used.
    """
    cfg = copy.deepcopy(config) if isinstance(config, Config) else Config.fromfile(str(config))
    name = cfg.filename or 'the config'
    if not is_search(cfg):
        raise ValueError(f'{name}: runner_type={cfg.get("runner_type")!r}; it must be the config of a search, as '
                         'configs/imtnas_demo.py')
    for key in options:
        fault = unread_field(key, cfg)
        if fault:
            raise ValueError(f'{key}: {name} {fault}')
    warn_of_names(options, cfg, name)
    merge_options(cfg, copy.deepcopy(options))
    restrict_single_task(cfg)
    cfg.launcher = cfg.get('launcher', 'none')
    stem = osp.splitext(osp.basename(cfg.filename))[0] if cfg.filename else 'search'
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem))
    if resume:
        cfg.resume, cfg.load_from = True, None
    make_work_dir(cfg.work_dir)
    run(cfg)
    genotype = load_genotype(osp.join(cfg.work_dir, 'architecture.json'))
    return Derived(genotype, shared_options(genotype.space, cfg.model.search_space))


def derive(config: str | Path, checkpoint: str | Path, **options: Any) -> Derived:
    """The architecture of a search checkpoint, as tools/derive.py finds it.

    A warning is logged if the architecture is no better than chance.

    Args:
        config: the file of the search's config.
        checkpoint: that the search wrote.
        **options: merged into the config, as for :func:`search`.

    Raises:
        CheckpointError: the checkpoint doesn't fit the config.
        ValueError: the config is of no search.
    """
    derived = derive_from_checkpoint(str(config), str(checkpoint), options)
    warning = certainty_of(derived.genotype).warning()
    if warning:
        print_log(warning, 'current', logging.WARNING)
    return derived


def load_architecture(source: str | Path | Mapping[str, Any] | Genotype, config: str | Path | None = None,
                      **options: Any) -> DerivedNet:
    """The backbone of an architecture, an ``nn.Module`` whose ``forward`` returns a tuple of feature maps.

    ::

        backbone = load_architecture('fairnas_a', out_indices=(1, 3, 5))  # strides 8, 16, 32

    Args:
        source: an architecture file or its content; a published name; or a
            string in the notation of a benchmark.
        config: a config of a search, whose ``model.search_space`` sets the scale; by default that of the paper.
        **options: of the network of the space, such as ``out_indices``,
            ``width_mult``, ``frozen_stages``, and ``init_cfg``, which loads
            weights when ``init_weights`` is called.

    Raises:
        GenotypeError: the source names no architecture.
        TypeError: the network has no such option.
        ValueError: an option has a wrong value.
    """
    if config is not None:
        return architecture_of(str(source), str(config)).network(**options)
    spec = dict(source) if isinstance(source, Mapping) else source
    return Derived(resolve_genotype(spec), {}).network(**options)
