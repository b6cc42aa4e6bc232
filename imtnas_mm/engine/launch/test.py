"""Tests a checkpoint for tools/test.py: computes its metrics, and writes or paints its predictions."""
import argparse
import os.path as osp
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS

from ...checkpoint import CheckpointError, check_checkpoint_file, read_checkpoint
from ...config.inference import plain_settings
from ...datasets import log_dropped
from ...genotype import GenotypeError, contradiction, resolve_genotype
from ...graph_file import is_graph
from ...networks.derived import DerivedNet
from ...stored_architecture import refuse_contradiction, stored_genotype
from ...tasks.joint_model import is_joint
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .config import is_search, load_config
from .process_group import leave_group


def paint(cfg: Config, folder: str, config: str) -> None:
    """Have the config's visualization hook paint every test image into ``folder``."""
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    options = dict(
        DetVisualizationHook=dict(draw=True, test_out_dir=folder),
        # mmdet's hook puts the folder under the work dir, mmpretrain's does not
        VisualizationHook=dict(enable=True, interval=1, out_dir=osp.join(cfg.work_dir, folder)),
    ).get(hook.get('type', '').rpartition('.')[2])
    if options is None:
        raise SystemExit(f'--show-dir: default_hooks.visualization of {config} is {dict(hook)}; it must be '
                         "mmdet's DetVisualizationHook or mmpretrain's VisualizationHook")
    hook.update(options)


def dump(cfg: Config, path: str) -> None:
    """Add the metric that writes the predictions to ``path``."""
    metric = 'mmdet.DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type=metric, out_file_path=path)]


def take_architecture(cfg: Config, args: argparse.Namespace) -> tuple[str, str]:
    """Have the config build the network of which the checkpoint's weights are.

    ``--architecture`` comes before the architecture that the checkpoint holds,
    and this before the config's.

    Returns:
        (str, str): a line for the log if the checkpoint's replaces another one of the config; and the end of the error
        if the weights don't fit, since the checkpoint holds no architecture. Both may be empty.

    Raises:
        GenotypeError: ``--architecture`` contradicts the checkpoint, or the checkpoint's can't be found.
        CheckpointError: the checkpoint can't be read.
    """
    backbone: Any = cfg.model.get('backbone') or {}
    if is_search(cfg) or not ('architecture' in backbone or is_derived(backbone)):
        return '', ''
    saved = read_checkpoint(args.checkpoint)
    if args.architecture:
        refuse_contradiction(saved, args.checkpoint, resolve_genotype(args.architecture),
                             f'--architecture {args.architecture}', is_joint(cfg))
        return '', ''
    genotype = stored_genotype(saved, args.checkpoint)
    if genotype is None:
        return '', ' It does not hold its architecture; --architecture names it'
    before = backbone.get('architecture')
    backbone.architecture = genotype.to_dict()
    try:
        difference = contradiction(resolve_genotype(before), genotype, is_joint(cfg)) if before else 'it has none'
    except GenotypeError as error:  # a file that isn't needed
        difference = str(error)
    return (f'model.backbone.architecture is that of {args.checkpoint}, not that of {args.config}: {difference}'
            if difference else ''), ''


def use_graph(cfg: Config, args: argparse.Namespace) -> None:
    """Have the graph in an ``.onnx`` or ``.pt2`` file take the place of the config's model.

    Raises:
        SystemExit: the config is for several tasks.
        CheckpointError: the file is no export of tools/export.py.
        GenotypeError: ``--architecture`` contradicts it.
    """
    if is_search(cfg) or is_joint(cfg):
        raise SystemExit(f'checkpoint: {args.checkpoint} is a graph of one task, and {args.config} has several; give '
                         'the config of that task, such as the one beside the graph')
    saved = read_checkpoint(args.checkpoint)
    if 'cfg' not in saved['meta']:
        raise CheckpointError(f'{args.checkpoint}: has no config; it must be an export of tools/export.py')
    if args.architecture:
        refuse_contradiction(saved, args.checkpoint, resolve_genotype(args.architecture),
                             f'--architecture {args.architecture}')
    settings = plain_settings(saved['meta']['cfg'], f'{args.checkpoint}: config', ('model', ))
    cfg.model = ConfigDict(settings['model'], file=args.checkpoint)
    cfg.pop('data_preprocessor', None)


def is_derived(backbone: Mapping[str, Any]) -> bool:
    """Whether a config of a backbone builds a derived network."""
    kind = MODELS.get(backbone['type']) if 'type' in backbone else None
    return isinstance(kind, type) and issubclass(kind, DerivedNet)


def test(args: argparse.Namespace) -> None:
    """Test as the arguments of tools/test.py say."""
    cfg = load_config(args)
    check_work_dir(cfg.work_dir)
    replaced, missing = '', ''
    if is_graph(args.checkpoint):
        use_graph(cfg, args)
    else:
        replaced, missing = take_architecture(cfg, args)
    if (is_search(cfg) or is_joint(cfg)) and (args.out or args.show_dir):
        raise SystemExit(f'--out and --show-dir are for networks of one task; {args.config} has several, which are '
                         'only evaluated')
    cfg.load_from = args.checkpoint
    if args.show_dir:
        paint(cfg, args.show_dir, args.config)
    if args.out:
        dump(cfg, args.out)
    dropped = check_data(cfg, 'test')
    runner = build_runner(cfg)
    log_dropped(dropped)
    if replaced:
        runner.logger.info(replaced)
    if not is_search(cfg):  # mmengine would skip entries that don't fit, and test the rest
        try:
            check_checkpoint_file(args.checkpoint, runner.model)
        except CheckpointError as error:
            raise CheckpointError(f'{error}{missing}') from error
    with named_faults(cfg.work_dir):
        runner.test()
    leave_group()
