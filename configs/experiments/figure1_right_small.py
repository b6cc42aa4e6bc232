"""The paper's Figure 1, right, at a scale of minutes per run. 2 is table2_small.py's IMTNAS."""
_base_ = ['_base_/cls_det_small.py']
from imtnas_mm.experiments.paper_rows import rounds

title = 'Figure 1 (right, small): IMTNAS over the number of rounds'
figure = dict(x='number of rounds', left=['AP'], right=['top-1 (%)'])
rows = rounds('../imtnas_cls_det_small.py')
