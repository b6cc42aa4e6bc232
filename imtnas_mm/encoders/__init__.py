from .base import EncoderWeights
from .hypernetwork import HyperNetwork
from .parameter_layout import ParameterLayout
from .stored import StoredWeights

__all__ = ['EncoderWeights', 'HyperNetwork', 'ParameterLayout', 'StoredWeights']
