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
    from imtnas_mm.experiments.curves import curves_figure, has_curves
    from imtnas_mm.experiments.equal_cost import equal_cost_of_tables
    from imtnas_mm.experiments.evidence import export_records, read_equal_cost, read_exported
    from imtnas_mm.experiments.figure import figure_points, report_figure
    from imtnas_mm.experiments.page import experiment_page, search_pages
    from imtnas_mm.experiments.pareto import has_pareto, pareto_figure
    from imtnas_mm.experiments.records import finished_records
    from imtnas_mm.experiments.report import comma_separated, finished_seeds, table_rows
    from imtnas_mm.experiments.report_text import full_report
    from imtnas_mm.experiments.sheet import found_architectures
    from imtnas_mm.files.atomic import write_whole
    from imtnas_mm.picture import write_picture
    from imtnas_mm.space_format import format_of
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
        finished = finished_seeds(runs, records)
        text = full_report(experiment, finished, equal_cost)
        architectures = found_architectures(experiment, runs, records) if experiment.cells else {}
        # written first, since it may refuse an existing file
        exported = [export_records(args.export, experiment, runs, records, equal_cost)] if args.export else []
    except ValueError as error:
        sys.exit(f'report: {error}')
    folder = Path(args.out or args.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f'{experiment.name}.md', folder / f'{experiment.name}.csv']
    write_whole(written[0], text)
    write_whole(written[1], comma_separated(*table_rows(experiment, finished)))
    print(text)
    if experiment.figure:
        points = figure_points(experiment, finished)
        if any(points.values()):
            written += write_picture(folder / experiment.name, lambda: report_figure(experiment, points))
    if has_curves(experiment, finished):
        written += write_picture(folder / f'{experiment.name}_curves', lambda: curves_figure(experiment, finished))
    if has_pareto(experiment, finished):
        written += write_picture(folder / f'{experiment.name}_pareto', lambda: pareto_figure(experiment, finished))
    if architectures:
        sheet = format_of(next(iter(architectures.values())).space).sheet
        assert sheet is not None  # found_architectures
        written += write_picture(folder / f'{experiment.name}_cells', lambda: sheet(experiment.title, architectures))
    page = folder / f'{experiment.name}.html'
    write_whole(page, experiment_page(experiment.title, text, [path for path in written if path.suffix == '.svg'],
                                      [] if args.records else search_pages(args.work_dir, runs, folder)))
    written.append(page)
    for path in written + exported:
        print(f'written: {path}')
    if not finished:
        print(f'report: no row has a seed whose runs are all finished; tools/compare.py {args.experiment} runs them',
              file=sys.stderr)


if __name__ == '__main__':
    main()
