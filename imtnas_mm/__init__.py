"""Interleaving multi-task neural architecture search on the OpenMMLab stack."""
__version__ = '0.1.0'
