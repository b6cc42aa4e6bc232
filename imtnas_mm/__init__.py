"""Interleaving multi-task neural architecture search on the OpenMMLab stack."""
__version__ = '0.1.0'  # the only place: pyproject.toml, checkpoints and records of comparisons read it here
