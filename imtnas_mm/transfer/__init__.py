from .base import Encoder, KnowledgeTransfer
from .mmd import MMDTransfer
from .statistic import two_sample_statistics

__all__ = ['Encoder', 'KnowledgeTransfer', 'MMDTransfer', 'two_sample_statistics']
