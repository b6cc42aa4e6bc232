"""Tests a checkpoint for tools/test.py: computes its metrics, and writes or paints its predictions."""
import argparse
import copy
import os.path as osp
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.backends.registry import BackendFilter, backend_registry
from mmengine.config import Config, ConfigDict
from mmengine.model import is_model_wrapper
from mmengine.registry import MODELS
from torch import nn

from ...checkpoint import CheckpointError, check_checkpoint_file, read_checkpoint
from ...config.inference import plain_settings
from ...config.of_one_task import data_of_task
from ...config.task_data import META_KEYS
from ...datasets import log_dropped
from ...files.exported_graph import is_graph
from ...genotype import GenotypeError, contradiction, resolve_genotype
from ...networks.derived import DerivedNet
from ...stored_architecture import refuse_contradiction, stored_genotype
from ...tasks.joint_model import is_joint
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .complete import complete
from .config import is_search, load_config
from .process_group import leave_group

# fields of a joint training that a test of one task lacks
JOINT_FIELDS = ('runner_type', 'log_processor', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr')


def paint(cfg: Config, args: argparse.Namespace) -> None:
    """Have the config's visualization hook paint every test image, into ``--show-dir`` or, for ``--show``, a window."""
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    shown = dict(show=True, wait_time=args.wait_time) if args.show else {}
    kind = hook.get('type', '').rpartition('.')[2]
    if kind == 'DetVisualizationHook':
        hook.update(draw=True, **shown)
        if args.show_dir:
            hook.update(test_out_dir=args.show_dir)
    elif kind == 'VisualizationHook':
        hook.update(enable=True, interval=1, **shown)
        if args.show_dir:  # mmdet's hook puts the folder under the work dir, mmpretrain's does not
            hook.update(out_dir=osp.join(cfg.work_dir, args.show_dir))
    else:
        raise SystemExit(f'{"--show-dir" if args.show_dir else "--show"}: default_hooks.visualization of {args.config} '
                         f"is {dict(hook)}; it must be mmdet's DetVisualizationHook or mmpretrain's VisualizationHook")
    backend = matplotlib.get_backend().lower()
    if args.show and backend in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        raise SystemExit(f"--show: there is no display (matplotlib's backend is {backend}); --show-dir saves the "
                         'images')


def augment(cfg: Config, config: str) -> None:
    """Put the model into one that merges the predictions of augmented images, as ``--tta`` of mmdet and mmpretrain do.

    The fields ``tta_model`` and ``tta_pipeline`` of the config say how. Without
    them, an image and its mirror image are merged: boxes by the NMS of
    ``model.test_cfg``, scores of classes by their mean.
    """
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    detects = cfg.get('default_scope') == 'mmdet'
    if 'tta_model' not in cfg:
        limits: Any = cfg.model.get('test_cfg') or {}
        cfg.tta_model = dict(
            type='DetTTAModel', tta_cfg=dict(
                nms=limits.get('nms', dict(type='nms', iou_threshold=.5)), max_per_img=limits.get('max_per_img', 100))
        ) if detects else dict(type='mmpretrain.AverageClsScoreTTA')
    if 'tta_pipeline' not in cfg:
        *steps, last = copy.deepcopy(dataset.pipeline)
        if not last['type'].rpartition('.')[2].startswith('Pack'):
            raise SystemExit(f'--tta: the last step of the test pipeline of {config} is {last["type"]}; it must pack '
                             'the inputs, or the config must have a tta_pipeline')
        if detects:
            last['meta_keys'] = (*last.get('meta_keys', META_KEYS), 'flip', 'flip_direction')
        flips = [dict(type='RandomFlip', prob=1.), dict(type='RandomFlip', prob=0.)]
        cfg.tta_pipeline = [*steps, dict(type='TestTimeAug', transforms=[flips, [last]])]
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset.pipeline = cfg.tta_pipeline


def augmented(model: nn.Module) -> nn.Module:
    """The model whose predictions a model of :func:`augment` merges."""
    outer: Any = model.module if is_model_wrapper(model) else model
    return outer.module


def dump(cfg: Config, path: str) -> None:
    """Add the metric that writes the predictions to ``path``."""
    metric = 'mmdet.DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type=metric, out_file_path=path)]


def take_architecture(cfg: Config, args: argparse.Namespace) -> tuple[str, str]:
    """Have the config build the network of the checkpoint's weights.

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

    The graph of one task of a joint training is tested on the data of this
    task, also where the config is that of the joint training.

    Raises:
        SystemExit: the config is of a search, or of a joint training without this task.
        CheckpointError: the file is no export of tools/export.py.
        GenotypeError: ``--architecture`` contradicts it.
    """
    saved = read_checkpoint(args.checkpoint)
    if 'cfg' not in saved['meta']:
        raise CheckpointError(f'{args.checkpoint}: has no config; it must be an export of tools/export.py')
    if args.architecture:
        refuse_contradiction(saved, args.checkpoint, resolve_genotype(args.architecture),
                             f'--architecture {args.architecture}')
    settings = plain_settings(saved['meta']['cfg'], f'{args.checkpoint}: config', ('model', 'default_scope'))
    if is_search(cfg) or is_joint(cfg):
        task = saved['meta'].get('task')
        if is_search(cfg) or task not in cfg.model.tasks:
            raise SystemExit(f'checkpoint: {args.checkpoint} is the graph of one network'
                             f'{"" if task is None else f" for the task {task}"}, and {args.config} has the tasks '
                             f'{", ".join(cfg.model.tasks)}; give the config of its training, or the one beside the '
                             'graph')
        take_task(cfg, task, settings['default_scope'])
    cfg.model = ConfigDict(settings['model'], file=args.checkpoint)
    cfg.pop('data_preprocessor', None)


def take_task(cfg: Config, task: str, scope: str) -> None:
    """Have the config of a joint training test one task, by the loop, data and metrics of an ordinary retraining."""
    of_task = data_of_task(cfg, task, scope)
    of_task.visualizer.update({key: value for key, value in (cfg.get('visualizer') or {}).items() if key == 'name'})
    for name in [name for name in cfg if name in JOINT_FIELDS or name.startswith(('train_', 'val_'))]:
        cfg.pop(name)
    for name in ('default_scope', 'visualizer', 'test_dataloader', 'test_evaluator'):
        cfg[name] = of_task[name]
    cfg.test_cfg = {}


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
    if (is_search(cfg) or is_joint(cfg)) and (args.out or args.show or args.show_dir or args.tta):
        raise SystemExit('--out, --show, --show-dir and --tta are for networks of one task; '
                         f'{args.config} has several, which are only evaluated')
    cfg.load_from = args.checkpoint
    complete(cfg, 'test')
    if args.show or args.show_dir:
        paint(cfg, args)
    if args.tta:
        augment(cfg, args.config)
    if args.out:
        dump(cfg, args.out)
    dropped = check_data(cfg, 'test')
    runner = build_runner(cfg)
    log_dropped(dropped)
    if replaced:
        runner.logger.info(replaced)
    if not is_search(cfg):  # mmengine would skip entries that don't fit, and test the rest
        try:
            check_checkpoint_file(args.checkpoint, augmented(runner.model) if args.tta else runner.model)
        except CheckpointError as error:
            raise CheckpointError(f'{error}{missing}') from error
    with named_faults(cfg.work_dir):
        runner.test()
    leave_group()
