"""Derive the architecture of a search checkpoint."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.arguments import add_config_options, config_options
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Derive the architecture of a search checkpoint: write it and its '
                                     'picture, print its parameters and multiply-accumulates (MACs)')
    parser.add_argument('config', help='config file of the search')
    parser.add_argument('checkpoint', help='checkpoint file of the search')
    parser.add_argument('--out', default='architecture.json', help='architecture file to write; the picture goes '
                        'beside it as .svg and .png (default: %(default)s)')
    parser.add_argument('--shape', type=int, nargs='+', default=[224], metavar=('H', 'W'),
                        help='input size of the MACs, one number for a square (default: 224)')
    add_config_options(parser)
    args = parser.parse_args(argv)
    if len(args.shape) > 2 or min(args.shape) < 1:
        parser.error(f'--shape {" ".join(map(str, args.shape))}: it must be H or H W, at least 1')
    if not args.out.endswith('.json'):
        parser.error(f'--out {args.out}: it must end with .json')
    check_file(args.config, 'config')
    check_file(args.checkpoint, 'checkpoint')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.analysis.certainty import certainty_of
    from imtnas_mm.analysis.derive import derive_from_checkpoint
    from imtnas_mm.analysis.draw import draw_genotype
    from imtnas_mm.genotype import save_genotype
    height, width = args.shape[0], args.shape[-1]
    try:
        derived = derive_from_checkpoint(args.config, args.checkpoint, config_options(args.cfg_options))
        parameters, macs = derived.complexity(height, width)
        save_genotype(derived.genotype, args.out)
        pictures = draw_genotype(derived.genotype, Path(args.out).with_suffix(''), **derived.options)
    except (OSError, ValueError) as error:
        sys.exit(f'derive: {error}')
    print(f'space: {derived.genotype.space}')
    print(f'architecture: {derived.genotype.summary()}')
    if derived.genotype.importance is not None:
        certainty = certainty_of(derived.genotype)
        print(f'certainty: {certainty}')
        if certainty.is_chance:
            print(f'derive: warning: {certainty.warning()}', file=sys.stderr)
    print(f'parameters: {parameters:,} (backbone)')
    if derived.genotype.sharing is not None:
        tasks = derived.genotype.sharing['tasks']
        print(f'total parameters: {derived.total_parameters():,} (backbones of {", ".join(tasks)}, shared parts once)')
    print(f'MACs: {macs:,} (backbone, {height} x {width})')
    for path in (args.out, *pictures):
        print(f'written: {path}')


if __name__ == '__main__':
    main()
