"""Export the weights of a checkpoint, without the state of its training."""
import argparse
import os.path as osp
import sys

from imtnas_mm.engine.export import SUFFIXES, exported, write_exported


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Export the weights of a checkpoint with its config, architecture '
                                     'and class names, without the state of its training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', help='file to write, a .pth or a .safetensors; without either ending, both')
    parser.add_argument('--no-ema', action='store_true', help='of a training with EMAHook, export the weights of the '
                        'training itself and not the averaged ones')
    parser.add_argument('--architecture', help='architecture.json or published name of the network, where the one '
                        'that the config of the checkpoint names is elsewhere now')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    paths = [args.out] if osp.splitext(args.out)[1] in SUFFIXES else [args.out + suffix for suffix in SUFFIXES]
    try:
        if not osp.basename(args.out):
            raise ValueError(f'{args.out}: it must be the name of a file')
        if any(osp.exists(path) and osp.samefile(path, args.checkpoint) for path in paths):
            raise ValueError(f'{args.checkpoint}: the export would replace it; name another file')
        content = exported(args.checkpoint, not args.no_ema, args.architecture)
        for path in paths:
            write_exported(content, path)
    except (OSError, ValueError) as error:
        sys.exit(f'export: {error}')
    meta = content['meta']
    print(f'weights: {len(content["state_dict"])} entries')
    for name, found in (('config', 'cfg' in meta), ('architecture', 'architecture' in meta),
                        ('class names', 'classes' in (meta.get('dataset_meta') or {}))):
        print(f'{name}: {"exported" if found else "not in the checkpoint"}')
    for path in paths:
        print(f'written: {path}')


if __name__ == '__main__':
    main()
