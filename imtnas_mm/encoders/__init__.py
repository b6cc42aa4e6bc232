from .base import EncoderWeights
from .branched import BranchedWeights
from .hypernetwork import HyperNetwork
from .parameter_layout import ParameterLayout
from .stored import StoredWeights

__all__ = ['BranchedWeights', 'EncoderWeights', 'HyperNetwork', 'ParameterLayout', 'StoredWeights']
