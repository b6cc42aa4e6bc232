"""The parameters and MACs of the architecture of a run, for the columns of a report."""
import functools
import json
from collections.abc import Mapping
from typing import Any

import torch

from ..analysis.complexity import count_macs, count_parameters
from ..genotype import genotype_from_dict
from ..networks.build import build_network


def derived_size(metric: str, architecture: Mapping[str, Any], shape: tuple[int, int], network: Mapping[str, Any]
                 ) -> float:
    """The size of the backbone, without any head.

    Args:
        metric (str): ``derived_parameters`` or ``derived_macs``.
        architecture (dict): the content of an architecture file.
        shape (tuple[int]): (height, width) of an image.
        network (dict): options of the derived network.

    Raises:
        GenotypeError: the architecture is not valid.
    """
    return _sizes(json.dumps(architecture, sort_keys=True), shape, json.dumps(network, sort_keys=True))[metric]


@functools.cache
def _sizes(architecture: str, shape: tuple[int, int], network: str) -> dict[str, int]:
    with torch.device('meta'):  # shapes alone
        backbone = build_network(genotype_from_dict(json.loads(architecture)), **json.loads(network))
    return dict(derived_parameters=count_parameters(backbone), derived_macs=count_macs(backbone, (3, *shape)))
