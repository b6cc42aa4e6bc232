"""The paper's Figure 1, left, at a scale of minutes per run."""
_base_ = ['_base_/cls_det_small.py']
from imtnas_mm.experiments.paper_rows import weights_of_classification

title = 'Figure 1 (left, small): MTL-SWS over the weight of classification'
figure = dict(x='weight of the classification loss', left=['AP'], right=['top-1 (%)'], log=True)
rows = weights_of_classification('../imtnas_cls_det_small.py')
