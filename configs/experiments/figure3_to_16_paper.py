"""The paper's Figures 3 to 16: the cells that IMTNAS and MTL-SWS found, on one sheet. The runs are Table 3's."""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import SWS_EPOCHS, found_cells, transferred

title = 'Figures 3 to 16: cells'
cells = True
rows = found_cells(sws_epochs=SWS_EPOCHS, fields=transferred)
