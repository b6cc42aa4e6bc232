"""Methods of the paper's Table 2 on handwritten digits: a search and its two retrainings take minutes on a CPU core.

The data come with scikit-learn: `python tools/make_demo_data.py` writes them. Single digits take the place of ImageNet
and scenes of digits that of COCO. The search is that of the demonstration, the second setting with stored weights.
"""
title = 'Detection and classification of handwritten digits'
ours = 'IMTNAS, joint'
seeds = list(range(10, 15))  # settings were chosen by searches with lower seeds
search = '../imtnas_digits.py'
largest = {'model.backbone.architecture.architecture.layers': ['mbconv_5x5_e4'] * 7}  # what a search must beat, too


def retrainings(options=None):
    """A classifier, and a detector that starts from its backbone."""
    options = options or {}
    start = {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='', prefix='backbone.')}
    return dict(
        digits=dict(config='../retrain/digits_classification.py', options=options, shape=(32, 32)),
        scenes=dict(config='../retrain/digits_detection.py', options={**options, **start}, shape=(96, 96),
                    initial='digits'))


evaluations = retrainings()
columns = [
    dict(name='AP', evaluation='scenes', metric='coco/bbox_mAP', scale=100),
    dict(name='AP50', evaluation='scenes', metric='coco/bbox_mAP_50', scale=100),
    dict(name='AP75', evaluation='scenes', metric='coco/bbox_mAP_75', scale=100),
    dict(name='top-1 (%)', evaluation='digits', metric='accuracy/top1'),
    dict(name='MACs (M)', evaluation='scenes', metric='macs', scale=1e-6),
    dict(name='search time (s)', metric='search_time'),
]
statistics = ['AP']
strips = ['AP', 'top-1 (%)']
pareto = dict(cost='MACs (M)', accuracy=['AP', 'top-1 (%)'])


def row(name, options):
    return dict(name=name, search=search, options=options)


def baseline(name, method):
    return row(name, {'model.type': method, 'model.transfer': None, 'model.encoder_task_weight': 0.})


def alone(name, task):
    """A search over one task; both retrainings have its architecture."""
    return {**baseline(name, 'SingleTask'), 'single_task': {task: ['digits', 'scenes']}}


rows = [
    row('IMTNAS, joint', {}),
    baseline('MTL-HWS', 'MTLHWS'),
    alone('Classification alone', 'cls'),
    alone('Detection alone', 'det'),
    baseline('Random architecture', 'RandomSearch'),
    dict(name='Largest architecture', evaluations=retrainings(largest)),
]
