"""Files that arguments and configs name."""
import pytest

from imtnas_mm.datasets import DataError
from imtnas_mm.files.inputs import check_file


@pytest.mark.parametrize('error', [SystemExit, DataError])
def test_a_file_must_hold_something(tmp_path, error):
    path = tmp_path / 'a.json'
    with pytest.raises(error, match=f"^a.b: '{path}' is not a file$"):
        check_file(str(path), 'a.b', error)
    path.touch()
    with pytest.raises(error, match=rf"^a.b: '{path}' is empty \(0 bytes\)$"):
        check_file(str(path), 'a.b', error)
    path.write_text('{}')
    check_file(str(path), 'a.b', error)
    check_file('https://nowhere/a.json', 'a.b', error)
