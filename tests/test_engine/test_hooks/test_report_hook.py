"""The hook that writes the page of a search."""
import logging
from types import SimpleNamespace

import pytest

from imtnas_mm.engine.hooks import ReportHook


@pytest.mark.parametrize('damage', ['nothing is there', 'a folder has its name'])
def test_a_page_that_cannot_be_written_is_no_reason_to_stop(damage, tmp_path, caplog):
    if damage == 'a folder has its name':
        (tmp_path / 'report.html').mkdir()
    runner = SimpleNamespace(work_dir=str(tmp_path), logger=logging.getLogger('page'))
    ReportHook().after_val_epoch(runner)
    text, = caplog.messages
    assert text.startswith(f'{tmp_path}: its page could not be written: ') and 'tools/report_search.py' in text
