"""The search space of DARTS."""
from ...registry import MODELS
from .derivation import strongest_edges
from .supernet import CellSupernet


@MODELS.register_module()
class DARTSSupernet(CellSupernet):
    """Cells whose edges are softmax mixtures of eight operations (Liu et al., 2019, Sec. 2)."""
    name = 'darts'

    def derive_cell(self, kind, importance):
        return strongest_edges(importance[kind])
