"""Writes the table of an experiment's finished runs, as Markdown and CSV, its figures, as SVG and PNG, and its page."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Mean, standard deviation, sizes and tests of the finished runs')
    parser.add_argument('experiment', help='file in configs/experiments/')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='of compare.py (default: %(default)s)')
    parser.add_argument('--out', help='folder to write to (default: the work dir)')
    published = parser.add_mutually_exclusive_group()
    published.add_argument('--export', metavar='DIR', help='also write the records, without options and names of '
                           'machines, to a file of this folder, to be published; it keeps its records of other runs')
    published.add_argument('--records', metavar='DIR', help='report the records that --export wrote to this folder, '
                           'not those of the work dir')
    args = parser.parse_args(argv)
    check_file(args.experiment, 'experiment')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.experiments import load_experiment, plan_runs
    from imtnas_mm.experiments.equal_cost import equal_cost_of_tables
    from imtnas_mm.experiments.evidence import export_records, read_equal_cost, read_exported
    from imtnas_mm.experiments.records import finished_records
    from imtnas_mm.experiments.write_report import Report
    try:
        experiment = load_experiment(args.experiment)
        runs = plan_runs(experiment)
        if args.records:
            records, other = read_exported(args.records, experiment, runs)
            equal_cost = read_equal_cost(args.records, experiment)
            if other:
                print(f'report: {other} records were made by options that the configs no longer have', file=sys.stderr)
        else:
            records = finished_records(args.work_dir, runs)
            equal_cost = equal_cost_of_tables(experiment) if experiment.equal_cost else None
        report = Report.of(experiment, runs, records, equal_cost)
        # before the report, since it may refuse an existing file
        exported = [export_records(args.export, experiment, runs, records, equal_cost)] if args.export else []
        written = report.write(Path(args.out or args.work_dir), None if args.records else args.work_dir)
    except ValueError as error:
        sys.exit(f'report: {error}')
    print(report.text)
    for path in written + exported:
        print(f'written: {path}')
    if not report.finished:
        print(f'report: no row has a seed whose runs are all finished; tools/compare.py {args.experiment} runs them',
              file=sys.stderr)


if __name__ == '__main__':
    main()
