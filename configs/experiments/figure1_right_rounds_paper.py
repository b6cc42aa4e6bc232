"""The paper's Figure 1, right, read as the networks of each round "in a 3-round interleaving process".

They are the search networks of one search, which is that of Table 2, on the test splits, as the encoder weights are
generated for each round. figure1_right_paper.py retrains what separate searches of 1, 2 and 3 rounds give.
"""
_base_ = ['_base_/cls_det_paper.py']
from imtnas_mm.experiments.paper_rows import rounds_of_one_search

title = 'Figure 1 (right): the networks of each round of one search'
figure = dict(x='round', left=['AP'], right=['top-1 (%)'])
columns = [
    dict(name='AP', evaluation='search_test', metric='det/coco/bbox_mAP', scale=100),
    dict(name='top-1 (%)', evaluation='search_test', metric='cls/accuracy/top1'),
]
rows = rounds_of_one_search('../imtnas_cls_det.py')
