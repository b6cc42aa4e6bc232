"""Search spaces of cells: DARTS, P-DARTS, PC-DARTS and PR-DARTS."""
from .darts import DARTSSupernet
from .head import CellHead
from .network import CellNet
from .pcdarts import PCDARTSSupernet
from .pdarts import PDARTSSupernet
from .prdarts import PRDARTSSupernet

__all__ = ['CellHead', 'CellNet', 'DARTSSupernet', 'PCDARTSSupernet', 'PDARTSSupernet', 'PRDARTSSupernet']
