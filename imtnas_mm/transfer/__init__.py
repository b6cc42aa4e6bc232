"""Knowledge transfer: losses by which an encoder learns from the encoder before it in the search's chain."""
from .base import Encoder, KnowledgeTransfer, TransferLoss
from .example_similarity import ExampleSimilarity
from .l2 import L2Embedding, L2Weights
from .mmd import MMDTransfer
from .statistic import two_sample_statistics

__all__ = [
    'Encoder', 'ExampleSimilarity', 'KnowledgeTransfer', 'L2Embedding', 'L2Weights', 'MMDTransfer', 'TransferLoss',
    'two_sample_statistics'
]
