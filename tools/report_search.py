"""Write the page of a search, finished or not, from its work dir."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write the page of a search, finished or not, from its work dir')
    parser.add_argument('work_dir', help='of the search')
    parser.add_argument('--out', metavar='FILE', help='the page (default: report.html in the work dir)')
    parser.add_argument('--analyze-logs', metavar='FILE', help='also write the logged figures to this .json, for the '
                        'analyze_logs.py of mmdet and of mmpretrain')
    args = parser.parse_args(argv)
    if not Path(args.work_dir).is_dir():
        sys.exit(f'work_dir: {args.work_dir} is not a folder; it must be the work dir of a search')
    if args.analyze_logs and not args.analyze_logs.endswith('.json'):
        parser.error(f'--analyze-logs: {args.analyze_logs}; analyze_logs.py reads files whose name ends with .json')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.search_report import write_analyzed_log, write_report
    try:
        written = [write_report(args.work_dir, args.out)]
        if args.analyze_logs:
            written.append(write_analyzed_log(args.work_dir, args.analyze_logs))
    except (OSError, ValueError) as error:
        sys.exit(f'report_search: {error}')
    for path in written:
        print(path)


if __name__ == '__main__':
    main()
