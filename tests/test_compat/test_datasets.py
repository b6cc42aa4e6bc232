"""Lines that other packages print without being asked are dropped, and no others."""
import subprocess
import sys

import pytest

from imtnas_mm.compat.datasets import without_lines


def test_lines_with_a_part_are_dropped(capsys):
    with without_lines('index created', 'Done ('):
        print('creating\nindex created!\nDone (t=0.00s)\nkept')
    assert capsys.readouterr().out == 'creating\nkept\n'


def test_lines_before_an_error_are_printed(capsys):
    with pytest.raises(ValueError, match='bad'), without_lines('index'):
        print('kept')
        raise ValueError('bad')
    assert capsys.readouterr().out == 'kept\n'


def test_imports_print_nothing():
    """mmdet warns of an optional metric; mmpretrain prints lines on optional packages."""
    done = subprocess.run([sys.executable, '-c', 'import imtnas_mm.api, mmdet.evaluation'], capture_output=True,
                          text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, '') and 'faster_coco_eval' not in done.stderr
