"""The search space of NAS-Bench-201 (Dong and Yang, ICLR 2020)."""
from .format import check
from .network import NASBench201Net
from .supernet import NASBench201Supernet

__all__ = ['NASBench201Net', 'NASBench201Supernet', 'check']
