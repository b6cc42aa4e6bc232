"""Hook that checks, before the first iteration, that datasets, heads and checkpoint agree on the classes."""
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ...compat.runner import built_loops, checkpoint_of, is_resumed
from ...datasets import BuiltDataset, DataError, base_datasets, name_failures
from ...datasets.checks import some
from ...registry import HOOKS


@HOOKS.register_module()
class DataHook(Hook):
    """Stops a run whose datasets don't fit its heads or one another.

    mmdet and mmpretrain go on: a label beyond the head then fails in a loss or
    in a GPU kernel, and validation classes in another order give a bad
    accuracy. In runs of mmengine's loops the hook also makes pipelines name
    the file at which they fail; a search's pipelines do so anyway.

    Raises:
        DataError: (before the run) names the fields and both numbers or names.
    """
    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        for prefix, model, datasets in run_parts(runner):
            check_class_numbers(prefix, model, datasets)
            check_same_classes(datasets)
        loops = built_loops(runner)
        if not has_tasks(runner.model):
            for part, loop in loops.items():
                name_failures(loop.dataloader.dataset, f'{part}_dataloader.dataset')
            if 'train' in loops and len(loops['train'].dataloader) == 0:
                loader: Any = loops['train'].dataloader
                raise DataError(f'train_dataloader.batch_size={loader.batch_sampler.batch_size}: the dataset has '
                                f'{len(loader.dataset)} examples, so that with drop_last=True there is no batch')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        loops = built_loops(runner)
        if 'train' in loops and not is_resumed(runner):  # pretrained weights may have other classes
            return
        saved = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        names = unwrapped(runner.model).tasks if has_tasks(runner.model) else (None, )
        for (part, loop), name in itertools.product(loops.items(), names):
            dataset = loop.dataloader.dataset if name is None else task_dataset(part, loop, name)
            classes = (saved if name is None else saved.get(name) or {}).get('classes')
            here = classes_of(dataset)
            if here and classes and here != tuple(classes):
                field = f'{part}_dataloader.dataset' if name is None else f'{part}_dataloader.{name}.dataset'
                raise DataError(f'{field}: its classes are not those of {checkpoint_of(runner)}: '
                                f'{difference(here, classes)}')


def unwrapped(model: nn.Module) -> Any:
    return model.module if is_model_wrapper(model) else model


def has_tasks(model: nn.Module) -> bool:
    """Whether a model is that of a search or of a joint training."""
    return hasattr(unwrapped(model), 'tasks')


def task_dataset(part: str, loop: Any, name: str) -> BuiltDataset:
    return loop.tasks[name].dataset if part == 'train' else loop.loaders[name].dataset


def run_parts(runner: Runner) -> Iterator[tuple[str, nn.Module, dict[str, Any]]]:
    """Per task, or once for a retraining: the field of the model, the model, and its datasets by field."""
    model, loops = unwrapped(runner.model), built_loops(runner)
    if not has_tasks(model):
        yield 'model', model, {f'{part}_dataloader.dataset': loop.dataloader.dataset for part, loop in loops.items()}
        return
    for name, task in model.tasks.items():
        yield f'model.tasks.{name}.model', getattr(task, 'template', task), {
            f'{part}_dataloader.{name}.dataset': task_dataset(part, loop, name) for part, loop in loops.items()}


def class_numbers(model: nn.Module) -> dict[str, int]:
    """``num_classes`` of the modules of a model, by their names.

    As in mmdet's NumClassCheckHook, region proposal networks and HTC's head
    for a semantic map are left out; so is the backbone, whose classifier is
    not used.
    """
    return {
        name: number
        for name, module in model.named_modules()
        if isinstance(number := getattr(module, 'num_classes', None), int)
        and not {'backbone', 'rpn_head'} & set(name.split('.')) and type(module).__name__ != 'FusedSemanticHead'
    }


def check_class_numbers(prefix: str, model: nn.Module, datasets: Mapping[str, Any]) -> None:
    """Raise DataError unless every head and preprocessor has as many classes as each dataset."""
    numbers = class_numbers(model)
    for field, dataset in datasets.items():
        classes = classes_of(dataset)
        for name, number in numbers.items():
            if classes is not None:
                if len(classes) != number:
                    raise DataError(f'{field}: has {len(classes)} classes ({some(classes)}), but '
                                    f'{prefix}.{name}.num_classes={number}; they must be the same')
            elif hasattr(dataset, 'get_gt_labels'):
                highest = int(dataset.get_gt_labels().max())
                if highest >= number:
                    raise DataError(f'{field}: has labels up to {highest}, but {prefix}.{name}.num_classes={number}; '
                                    'labels must be smaller')


def classes_of(dataset: object) -> tuple[str, ...] | None:
    """tuple[str]: the class names of a dataset, ``None`` without any."""
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    return tuple(classes) if isinstance(classes, (list, tuple)) else None


def check_same_classes(datasets: Mapping[str, Any]) -> None:
    """Raise DataError unless the datasets number the same classes in the same order, and so do their class folders."""
    for kind, names_of in (('classes', classes_of), ('class folders', folders_of)):
        names_by_field = {field: names for field, dataset in datasets.items() if (names := names_of(dataset))}
        for field, names in names_by_field.items():
            first, others = next(iter(names_by_field.items()))
            if names != others:
                raise DataError(f'{field}: its {kind} are not those of {first}: {difference(names, others)}')


def folders_of(dataset: object) -> tuple[str, ...] | None:
    """The class folders of a CustomDataset, in the order of its labels."""
    for base in base_datasets(dataset):
        folders = getattr(base, 'folder_to_idx', None)
        if folders is not None:
            return tuple(folders)
    return None


def difference(names: Sequence[str], others: Sequence[str]) -> str:
    """Where two lists of names differ, in words."""
    here, there = ([name for name in a if name not in b] for a, b in ((names, set(others)), (others, set(names))))
    if here or there:
        return f'it alone has {some(here)}, and the other alone {some(there)}'
    i = next((i for i, (a, b) in enumerate(zip(names, others, strict=False)) if a != b), min(len(names), len(others)))
    return f'the same names in another order: from place {i} on {some(names[i:], 3)}, there {some(others[i:], 3)}'
