"""Look an architecture up in a tabular benchmark: its accuracies and ranks."""
import argparse
import sys
from collections.abc import Sequence

from imtnas_mm.arguments import add_source, check_source, config_options
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Print the accuracies and ranks of an architecture in a table')
    add_source(parser)
    parser.add_argument('--table', metavar='FILE', help='CSV, or CSV packed by gzip (.gz), with the '
                        "columns architecture (strings in the benchmark's notation) and metrics, of which more is "
                        'better')
    parser.add_argument('--metric', nargs='+', metavar='NAME', help='columns of the table (default: all)')
    args = parser.parse_args(argv)
    if args.table is None:
        parser.error('--table: it is missing; it names the table of the benchmark')
    check_source(parser, args)
    check_file(args.table, '--table')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.analysis.derive import architecture_of
    from imtnas_mm.tables.accuracy import read_table
    try:
        genotype = architecture_of(args.source, args.config, config_options(args.cfg_options)).genotype
        table = read_table(args.table, args.metric)
        standings = table.standing(genotype)
        print(f'architecture: {table.string_of(genotype)}')
    except (OSError, ValueError) as error:
        sys.exit(f'lookup: {error}')
    name, rank = max(map(len, ('metric', *standings))), f'rank of {len(table):,}'
    print(f'{"metric":{name}}  {"value":>9}  {rank}  percentile     best     mean   regret')
    for metric, standing in standings.items():
        print(f'{metric:{name}}  {standing.value:9.4f}  {standing.rank:{len(rank)},}  {standing.percentile:10.2f}  '
              f'{table.best(metric):7.2f}  {table.mean(metric):7.2f}  {standing.regret:7.2f}')


if __name__ == '__main__':
    main()
