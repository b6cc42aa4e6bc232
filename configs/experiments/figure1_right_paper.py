"""The paper's Figure 1, right: IMTNAS over the number M of rounds, each a search of its own. 3 is Table 2's row.

figure1_right_rounds_paper.py has the other reading: the networks of the rounds of one search.
"""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import rounds

title = 'Figure 1 (right): IMTNAS over the number of rounds'
figure = dict(x='number of rounds', left=['AP'], right=['top-1 (%)'])
rows = rounds('../imtnas_cls_det.py')
