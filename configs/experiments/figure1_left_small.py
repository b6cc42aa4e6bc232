"""The paper's Figure 1, left, at the scale of minutes a run."""
_base_ = ['_base_/cls_det_small.py']
title = 'Figure 1 (left, small): MTL-SWS over the weight of classification'
figure = dict(x='weight of the classification loss', left=['AP'], right=['top-1 (%)'], log=True)
rows = [
    dict(name=f'{weight:g}', x=weight, search='../imtnas_cls_det_small.py', options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 10., 'model.train_weights': dict(cls=weight, det=1.)})
    for weight in (.1, .5, 1., 2., 10.)
]
