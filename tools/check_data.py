"""Check the data of a config before a run: files, annotations, class names, counts, parts, one decoded batch."""
import argparse
import sys
from collections.abc import Sequence

from imtnas_mm.arguments import add_config_options
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check all data that a config names, and print a table; exit with 1 '
                                     'where something cannot be used')
    parser.add_argument('config', help='config file of a search or of a retraining')
    add_config_options(parser)
    args = parser.parse_args(argv)
    check_file(args.config, 'config')
    args.launcher, args.local_rank, args.work_dir = 'none', 0, None
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.engine.launch import load_config
    from imtnas_mm.engine.launch.data_check import check_config_data
    checked, faults = check_config_data(load_config(args))
    rows = [('dataset', 'type', 'examples', 'classes', 'examples per class', 'batch')]
    for data in checked:
        numbers = [number for number in (data.counts or {}).values() if number]
        spread = f'{min(numbers):,} to {max(numbers):,}' if numbers else '-'
        rows.append((data.field, data.kind, f'{data.examples:,}', str(data.classes or '-'), spread, data.batch))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows[:1] if not checked else rows:
        print('  '.join(f'{text:{width}}' for text, width in zip(row, widths, strict=True)).rstrip())
    for data in checked:
        for note in data.notes:
            print(f'{data.field}: {note}')
    if faults:
        sys.exit('\n'.join(f'check_data: {fault}' for fault in faults))


if __name__ == '__main__':
    main()
