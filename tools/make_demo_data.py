"""Write the demonstration data (scikit-learn's digits) in ImageNet's and COCO's layouts."""
import argparse
import sys
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/demo', help='folder to write (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of colours, noise and places (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.datasets.demo import DemoDataError, make_demo_data
    try:
        written = make_demo_data(args.out, args.seed)
    except DemoDataError as error:
        sys.exit(f'make_demo_data: {error}')
    print(f'{args.out}: demonstration data ' + ('written' if written else 'already complete, nothing to do'))


if __name__ == '__main__':
    main()
