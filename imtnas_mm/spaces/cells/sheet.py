"""Draws the cells of several architectures on one sheet: a row per architecture, its normal and its reduction cell."""
from collections.abc import Mapping

from matplotlib.figure import Figure

from ...genotype import Genotype
from ...picture import MARGIN, blank, heading, legend
from .graph import lay_out
from .layout import CELLS
from .picture import ABOVE_GRAPH, BELOW_GRAPH, LABEL, draw_cell, legend_handles

CELL_WIDTH, GAP = 9., .5
ABOVE_ROW = .55  # the heading of a row


def cells_sheet(title: str, genotypes: Mapping[str, Genotype]) -> Figure:
    """The sheet.

    Args:
        title (str): of the sheet.
        genotypes (dict): name of a row -> its architecture; of a space of cells.
    """
    graphs = {name: {cell: lay_out(genotype.architecture[cell], CELL_WIDTH, LABEL) for cell in CELLS}
              for name, genotype in genotypes.items()}
    heights = {name: ABOVE_ROW + ABOVE_GRAPH + max(graph.height for graph in of_cell.values()) + BELOW_GRAPH
               for name, of_cell in graphs.items()}
    figure, axes = blank(2 * MARGIN + len(CELLS) * CELL_WIDTH + GAP, .6 + sum(heights.values()))
    heading(axes, title, None)
    legend(axes, legend_handles())
    top = axes.get_ylim()[1] - .6
    for number, (name, of_cell) in enumerate(graphs.items()):
        heading(axes, name, None, y=top - .25, size=11)
        for i, (cell, graph) in enumerate(of_cell.items()):
            draw_cell(axes, cell, graph, top - ABOVE_ROW, left=MARGIN + i * (CELL_WIDTH + GAP), ids=f'row{number}-')
        top -= heights[name]
    return figure
