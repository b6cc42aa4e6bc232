"""Which folders are the phases of the search in a work dir."""
import os

from imtnas_mm.search_report.phases_page import RECORD, phase_folders
from imtnas_mm.search_report.work_dir import SCALARS


def write(path, time):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('')
    os.utime(path, (time, time))


def test_phases_of_an_earlier_search_do_not_count(tmp_path):
    """Two phases have ended; the third folder is older than the second's record, until its phase begins."""
    assert phase_folders(tmp_path) == []
    for number, begun, ended in ((1, 100, 110), (2, 120, 130)):
        write(tmp_path / f'phase{number}' / 'run' / SCALARS, begun)
        write(tmp_path / f'phase{number}' / RECORD, ended)
    write(tmp_path / 'phase3' / 'old' / SCALARS, 50)
    assert [path.name for path in phase_folders(tmp_path)] == ['phase1', 'phase2']
    write(tmp_path / 'phase3' / 'run' / SCALARS, 140)
    assert [path.name for path in phase_folders(tmp_path)] == ['phase1', 'phase2', 'phase3']
    write(tmp_path / 'run' / SCALARS, 150)  # a search without phases
    assert phase_folders(tmp_path) == []
