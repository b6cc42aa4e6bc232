"""Where tools/ and configs/ are: beside the package in a checkout, in its folder ``.mim`` in an installed wheel."""
from pathlib import Path

PACKAGE = Path(__file__).parent
SHIPPED = '.mim'  # in the package, as mmdet's; setup.py makes it


def shipped_folder(name: str) -> Path:
    """The folder ``tools`` or ``configs``.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    places = [PACKAGE / SHIPPED / name, PACKAGE.parent / name]
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f'{name}: neither {places[0]} nor {places[1]} is a folder; install imtnas_mm from its '
                            'checkout or its wheel')
