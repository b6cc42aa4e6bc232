"""The search space of DARTS."""
from collections.abc import Mapping

from torch import Tensor

from ...registry import MODELS
from ...space_format import register_space
from .derivation import Nodes, strongest_edges
from .format import cell_format, read_cells
from .supernet import CellSupernet


@MODELS.register_module()
class DARTSSupernet(CellSupernet):
    """Cells whose edges are softmax mixtures of eight operations (Liu et al., 2019, Sec. 2)."""
    name = 'darts'

    def derive_cell(self, kind: str, importance: Mapping[str, Tensor]) -> Nodes:
        return strongest_edges(importance[kind])


PUBLISHED = dict(  # Liu et al., 2019 (DARTS), first and second order
    darts_v1=read_cells(
        'sep3-1 sep3-0 | skip-0 sep3-1 | skip-0 sep3-1 | sep3-0 skip-2',
        'max-0 max-1 | skip-2 max-0 | max-0 skip-2 | skip-2 avg-0'),
    darts_v2=read_cells(
        'sep3-0 sep3-1 | sep3-0 sep3-1 | sep3-1 skip-0 | skip-0 dil3-2',
        'max-0 max-1 | skip-2 max-1 | max-0 skip-2 | skip-2 max-1'))

register_space(cell_format(DARTSSupernet.name, 'DARTS', published=PUBLISHED))
