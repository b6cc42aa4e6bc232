"""The document of published experiments, from their records and a template: docs/evidence.md."""
import argparse
import functools
import os.path as osp
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write the document that published records and its template give')
    parser.add_argument('--template', default='docs/evidence/template.md', help='text with a line <!-- report: NAME -->'
                        ' where the report of an experiment goes (default: %(default)s)')
    parser.add_argument('--records', default='docs/evidence/records', help='folder that tools/report.py --export wrote '
                        'to (default: %(default)s)')
    parser.add_argument('--experiments', default='configs/experiments', help='folder of the experiments (default: '
                        '%(default)s)')
    parser.add_argument('--out', default='docs/evidence.md', help='default: %(default)s')
    parser.add_argument('--pictures', default='docs/images/evidence', help='folder of the pictures (default: '
                        '%(default)s)')
    parser.add_argument('--check', action='store_true', help='write nothing; exit with 1 if the document is not what '
                        'the records give')
    args = parser.parse_args(argv)
    check_file(args.template, '--template')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.experiments import load_experiment, plan_runs
    from imtnas_mm.experiments.evidence import PLACE, document, read_equal_cost, read_exported, section
    from imtnas_mm.experiments.generated import write_or_check
    from imtnas_mm.experiments.report import finished_seeds
    from imtnas_mm.experiments.write_report import PICTURES
    from imtnas_mm.picture import write_picture
    template = Path(args.template).read_text(encoding='utf-8')
    sections = {}
    try:
        for name in re.findall(PLACE, template):
            experiment = load_experiment(Path(args.experiments, f'{name}.py'))
            runs = plan_runs(experiment)
            records, other = read_exported(args.records, experiment, runs)
            finished, pictures = finished_seeds(runs, records), []
            equal_cost = read_equal_cost(args.records, experiment)
            for kind, (has, figure) in PICTURES.items():
                if has(experiment, finished):
                    stem = Path(args.pictures, f'{name}_{kind}')
                    pictures.append(osp.relpath(f'{stem}.png', Path(args.out).parent))
                    if not args.check:
                        write_picture(stem, functools.partial(figure, experiment, finished, equal_cost))
            sections[name] = section(experiment, runs, records, other, pictures, equal_cost)
        text = document(template, sections)
    except ValueError as error:
        sys.exit(f'evidence: {error}')
    write_or_check('evidence', args.out, text, f'{args.records} and {args.template}', args.check)


if __name__ == '__main__':
    main()
