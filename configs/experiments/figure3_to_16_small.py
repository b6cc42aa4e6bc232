"""The paper's Figures 3 to 16 at a scale of minutes per run, from the runs of table3_small.py."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import found_cells

title = 'Figures 3 to 16 (small): cells'
cells = True
rows = found_cells(scale='_small')
