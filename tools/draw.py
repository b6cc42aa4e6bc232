"""Draw an architecture as SVG and PNG."""
import argparse
import sys
from pathlib import Path

from imtnas_mm.arguments import add_config_options, check_file, config_options


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Draw an architecture as SVG and PNG')
    parser.add_argument('source', help='an architecture.json; a published name, as fairnas_a or '
                        'darts_v2 (a wrong one lists them all); or, with --config, a search checkpoint')
    parser.add_argument('--config', help='config file of the search that wrote the checkpoint; of an '
                        'architecture.json, a config whose custom_imports has its search space')
    parser.add_argument('--out', help='the pictures are this with .svg and .png (default: the file without its '
                        'ending, or the published name)')
    add_config_options(parser)
    args = parser.parse_args(argv)
    if args.cfg_options and not args.config:
        parser.error('--cfg-options needs --config')
    if args.config:
        check_file('--config', args.config)
        check_file('source', args.source)
    return args


def main(argv=None):
    args = parse_args(argv)
    from imtnas_mm.analysis.derive import derive_from_checkpoint, derived_from_file
    from imtnas_mm.analysis.draw import draw_genotype
    from imtnas_mm.genotype import resolve_genotype
    options = {}
    try:
        if args.config and args.source.endswith('.json'):
            derived = derived_from_file(args.config, args.source, config_options(args.cfg_options))
            genotype, options = derived.genotype, derived.options
        elif args.config:
            derived = derive_from_checkpoint(args.config, args.source, config_options(args.cfg_options))
            genotype, options = derived.genotype, derived.options
        elif args.source.endswith('.pth'):
            raise ValueError(f'{args.source}: a checkpoint can be drawn with the --config of its search')
        else:
            genotype = resolve_genotype(args.source)
        paths = draw_genotype(genotype, args.out or Path(args.source).with_suffix(''), **options)
    except (OSError, ValueError) as error:
        sys.exit(f'draw: {error}')
    for path in paths:
        print(path)
    if not paths:
        sys.exit(1)  # the space has no picture; a warning says so


if __name__ == '__main__':
    main()
