"""The paper's Figure 1, left: MTL-SWS over the weight of the classification loss, that of detection being 1.

Which weights the figure has isn't said.
"""
_base_ = ['_base_/cls_det_paper.py']
title = 'Figure 1 (left): MTL-SWS over the weight of classification'
figure = dict(x='weight of the classification loss', left=['AP'], right=['top-1 (%)'], log=True)
rows = [
    dict(name=f'{weight:g}', x=weight, search='../imtnas_cls_det.py', options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 10., 'model.train_weights': dict(cls=weight, det=1.)})
    for weight in (.1, .5, 1., 2., 10.)
]
