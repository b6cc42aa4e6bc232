"""The paper's Figure 1, left: MTL-SWS over the weight of the classification loss, that of detection being 1.

Which weights the figure has isn't said.
"""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import weights_of_classification

title = 'Figure 1 (left): MTL-SWS over the weight of classification'
figure = dict(x='weight of the classification loss', left=['AP'], right=['top-1 (%)'], log=True)
rows = weights_of_classification('../imtnas_cls_det.py')
