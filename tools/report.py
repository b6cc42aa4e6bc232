"""Write the table of an experiment's finished runs, as Markdown and CSV, and its figure, as SVG and PNG."""
import argparse
import sys
from pathlib import Path

from imtnas_mm.arguments import check_file


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Mean, standard deviation, sizes and t-tests of the finished runs')
    parser.add_argument('experiment', help='file in configs/experiments/')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='of compare.py (default: %(default)s)')
    parser.add_argument('--out', help='folder to write to (default: the work dir)')
    args = parser.parse_args(argv)
    check_file('experiment', args.experiment)
    return args


def main(argv=None):
    args = parse_args(argv)
    from imtnas_mm.analysis.picture import write_picture
    from imtnas_mm.atomic_files import write_whole
    from imtnas_mm.experiments import load_experiment, plan_runs
    from imtnas_mm.experiments.figure import figure_points, report_figure
    from imtnas_mm.experiments.records import read_record, record_path
    from imtnas_mm.experiments.report import comma_separated, finished_seeds, markdown, table_rows
    records = {}
    try:
        experiment = load_experiment(args.experiment)
        runs = plan_runs(experiment)
        for run in runs:
            record = read_record(record_path(args.work_dir, run.identity), run.identity)
            if record and record['state'] == 'finished':
                records[run.identity] = record
    except ValueError as error:
        sys.exit(f'report: {error}')
    finished = finished_seeds(runs, records)
    header, rows = table_rows(experiment, finished)
    folder = Path(args.out or args.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(experiment, header, rows)
    write_whole(folder / f'{experiment.name}.md', text)
    write_whole(folder / f'{experiment.name}.csv', comma_separated(header, rows))
    print(text)
    written = [folder / f'{experiment.name}.md', folder / f'{experiment.name}.csv']
    if experiment.figure:
        points = figure_points(experiment, finished)
        if any(points.values()):
            written += write_picture(folder / experiment.name, lambda: report_figure(experiment, points))
    for path in written:
        print(f'written: {path}')
    if not finished:
        print(f'report: no row has a seed whose runs are all finished; tools/compare.py {args.experiment} runs them',
              file=sys.stderr)


if __name__ == '__main__':
    main()
