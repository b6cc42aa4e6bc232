"""The table and the figure of an experiment's finished runs, as Markdown and CSV, SVG and PNG."""
import argparse
import sys
from pathlib import Path

from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.records import read_record, record_path
from imtnas_mm.experiments.report import comma_separated, finished_seeds, markdown, table_rows
from imtnas_mm.genotype import write_whole


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Mean, standard deviation, sizes and t-tests of the finished runs')
    parser.add_argument('experiment', help='file in configs/experiments/')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='of compare.py (default: %(default)s)')
    parser.add_argument('--out', help='folder to write to (default: the work dir)')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
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
    header, rows = table_rows(experiment, finished_seeds(runs, records))
    folder = Path(args.out or args.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(experiment, header, rows)
    write_whole(folder / f'{experiment.name}.md', text)
    write_whole(folder / f'{experiment.name}.csv', comma_separated(header, rows))
    print(text)


if __name__ == '__main__':
    main()
