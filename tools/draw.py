"""Draw an architecture as SVG and PNG."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.arguments import add_source, check_source, config_options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw an architecture as SVG and PNG')
    add_source(parser)
    parser.add_argument('--out', help='the pictures are this with .svg and .png (default: the file without its '
                        'ending, or the published name)')
    args = parser.parse_args(argv)
    check_source(parser, args)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.analysis.derive import architecture_of
    from imtnas_mm.analysis.draw import draw_genotype
    try:
        derived = architecture_of(args.source, args.config, config_options(args.cfg_options))
        paths = draw_genotype(derived.genotype, args.out or Path(args.source).with_suffix(''), **derived.options)
    except (OSError, ValueError) as error:
        sys.exit(f'draw: {error}')
    for path in paths:
        print(path)
    if not paths:
        sys.exit(1)  # the space has no picture; a warning says so


if __name__ == '__main__':
    main()
