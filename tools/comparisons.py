"""Writes docs/comparisons.md: its template with the experiments of all the paper's tables and figures."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the document with the list of the paper's tables and figures")
    parser.add_argument('--template', default='docs/comparisons/template.md', help='text with the lines '
                        '<!-- experiments --> and <!-- lookups --> where the tables go (default: %(default)s)')
    parser.add_argument('--out', default='docs/comparisons.md', help='default: %(default)s')
    parser.add_argument('--check', action='store_true', help='write nothing; exit with 1 if the document is not what '
                        'the list and the template give')
    args = parser.parse_args(argv)
    check_file(args.template, '--template')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.experiments.generated import write_or_check
    from imtnas_mm.experiments.paper_list import document
    try:
        text = document(Path(args.template).read_text(encoding='utf-8'))
    except ValueError as error:
        sys.exit(f'comparisons: {args.template}: {error}')
    write_or_check('comparisons', args.out, text, f'{args.template} and imtnas_mm/experiments/paper_list.py',
                   args.check)


if __name__ == '__main__':
    main()
