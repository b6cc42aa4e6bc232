"""The derived network of any genotype."""
from dataclasses import replace

from ..registry import MODELS
from ..spaces.cells.network import CELL_SPACES
from ..spaces.mbconv.layout import LAYOUTS

# space name -> the derived network's type and the options it shares with its search space
NETWORKS = {space: ('MBConvNet', ('width_mult', 'stem_stride', 'strides')) for space in LAYOUTS}
# a cell is searched in a small network and evaluated in a large one: nothing is shared
NETWORKS.update({space: ('CellNet', ()) for space in CELL_SPACES})


def build_network(genotype, **options):
    """One network by itself; those of several tasks that share parts are built by ``shared_networks``."""
    return MODELS.build(dict(type=f'imtnas_mm.{NETWORKS[genotype.space][0]}',
                             architecture=replace(genotype, sharing=None), **options))


def shared_options(space, search_space):
    """dict: what a search space's config says of the derived network too (its scale, not its choices).

    Args:
        space (str): of the genotype.
        search_space (dict): the config of the search space.
    """
    return {name: search_space[name] for name in NETWORKS[space][1] if name in search_space}
