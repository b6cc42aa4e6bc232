"""Export the model of a checkpoint as one file that stands alone, without the state of its training."""
import argparse
import os.path as osp
import sys
from collections.abc import Sequence
from typing import Any

from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export the weights or the graph of a checkpoint with its config, '
                                     'architecture and class names, without the state of its training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', help='file to write: .pth or .safetensors (weights; without any of these endings, '
                        'both), .onnx or .pt2 (the graph of the whole model; a joint training without --task has '
                        'one graph per task, OUT.TASK.onnx); its config is written beside it')
    parser.add_argument('--no-ema', action='store_true', help='export the trained weights instead of the averages '
                        'that EMAHook made')
    parser.add_argument('--architecture', help="architecture.json or published name of the network, if the file that "
                        "the checkpoint's config names has moved")
    parser.add_argument('--task', help="export one task's model of a joint training, with the names of an ordinary "
                        'retraining')
    args = parser.parse_args(argv)
    check_file(args.checkpoint, 'checkpoint')
    return args


def has_classes(dataset_meta: dict[str, Any]) -> bool:
    """Whether ``dataset_meta`` has class names: of its single task, or of each task."""
    return 'classes' in dataset_meta or bool(dataset_meta) and all(
        isinstance(meta, dict) and 'classes' in meta for meta in dataset_meta.values())


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.engine.export import SUFFIXES, exported, exported_task, write_exported, write_graphs
    from imtnas_mm.files.exported_graph import is_graph
    single = osp.splitext(args.out)[1] in SUFFIXES or is_graph(args.out)
    paths = [args.out] if single else [args.out + suffix for suffix in SUFFIXES]
    try:
        if not osp.basename(args.out):
            raise ValueError(f'{args.out}: it must be the name of a file')
        if any(osp.exists(path) and osp.samefile(path, args.checkpoint) for path in paths):
            raise ValueError(f'{args.checkpoint}: the export would replace it; name another file')
        content = exported(args.checkpoint, not args.no_ema, args.architecture)
        if is_graph(args.out):
            written = write_graphs(content, args.out, args.task)
        else:
            if args.task is not None:
                content = exported_task(content, args.task)
            written = [file for path in paths for file in write_exported(content, path)]
    except (OSError, ValueError) as error:
        sys.exit(f'export: {error}')
    meta = content['meta']
    print(f'weights: {len(content["state_dict"])} entries')
    parts = dict(config='cfg' in meta, architecture='architecture' in meta)
    parts['class names'] = has_classes(meta.get('dataset_meta') or {})
    for name, exists in parts.items():
        print(f'{name}: {"exported" if exists else "not in the checkpoint"}')
    for path in written:
        print(f'written: {path}')


if __name__ == '__main__':
    main()
