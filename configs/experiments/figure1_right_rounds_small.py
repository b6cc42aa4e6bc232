"""figure1_right_rounds_paper.py at a scale of minutes per run: the networks of each round of one search."""
_base_ = ['_base_/cls_det_small.py']
from imtnas_mm.experiments.paper_rows import rounds_of_one_search

title = 'Figure 1 (right, small): the networks of each round of one search'
figure = dict(x='round', left=['AP'], right=['top-1 (%)'])
columns = [
    dict(name='AP', evaluation='search_test', metric='det/coco/bbox_mAP', scale=100),
    dict(name='top-1 (%)', evaluation='search_test', metric='cls/accuracy/top1'),
]
rows = rounds_of_one_search('../imtnas_cls_det_small.py')
