from .base import Encoder, KnowledgeTransfer, TransferLoss
from .mmd import MMDTransfer
from .statistic import two_sample_statistics

__all__ = ['Encoder', 'KnowledgeTransfer', 'MMDTransfer', 'TransferLoss', 'two_sample_statistics']
