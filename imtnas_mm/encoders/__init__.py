"""Sources of the encoder weights of a search: a hypernetwork, stored weights, or weights mixed from shared copies."""
from .base import EncoderWeights
from .branched import BranchedWeights
from .hypernetwork import HyperNetwork
from .parameter_layout import ParameterLayout
from .stored import StoredWeights

__all__ = ['BranchedWeights', 'EncoderWeights', 'HyperNetwork', 'ParameterLayout', 'StoredWeights']
