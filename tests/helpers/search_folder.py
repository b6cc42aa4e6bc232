"""The work dir of a small search as files written by hand: two runs, the second resumed, a table and warnings."""
import json
import math
from dataclasses import replace

from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.architecture_history import HISTORY, append_history
from imtnas_mm.genotype import resolve_genotype, save_genotype
from imtnas_mm.spaces.nasbench201.layout import EDGES, OPERATIONS

CONFIG = """model = dict(type='IMTNAS', search_space=dict(type='NASBench201Supernet', channels=4))
randomness = dict(seed=7)
train_cfg = dict(max_epochs=3, order=('c100', 'c10'), rounds=2)
"""
WARNING = 'The transfer is <off>: no pair was active'
FIRST, SECOND = '20260101_000000', '20260102_000000'
EPOCH = 4  # iterations


def weights(iteration):
    """Importance weights that sharpen: [edges, operations]."""
    rows = []
    for edge in range(len(EDGES)):
        row = [math.exp(.1 * iteration * (operation == edge % len(OPERATIONS))) for operation in range(len(OPERATIONS))]
        rows.append([weight / sum(row) for weight in row])
    return rows


def training(iteration, shift=0.):
    """A line of the logger."""
    figures = {'encoder.lr': .1, 'data_time': .01, 'encoder.grad_norm': 3.5 + iteration}
    for stage in ('r1.c100', 'r1.c10', 'r2.c100', 'r2.c10'):
        figures[f'{stage}/loss'] = 4.5 - .1 * iteration + shift
        figures[f'{stage}/transfer_loss'] = 10.**-iteration
    figures.update({f'{task}/val_loss': 4.25 + shift for task in ('c100', 'c10')})
    if iteration > 2:
        figures.update({'architecture/entropy': 1.6 - .01 * iteration, 'architecture/lead': 2. * iteration,
                        'architecture/unsure': 6 - iteration // 2, 'architecture/gradient_norm': .5,
                        'architecture/gradient_cosine': -.25, 'architecture/chain_share': .125})
    figures.update({'transfer/active': .5, 'transfer/different': .75, 'cost/macs': 1234.5, 'mine/figure': .375})
    return {**figures, 'time': .5, 'memory': 812.5, 'epoch': math.ceil(iteration / EPOCH), 'iter': iteration,
            'step': iteration}


def validation(epoch):
    return {'c100/accuracy/top1': 10. + epoch, 'c10/accuracy/top1': 20. + epoch, 'data_time': .1, 'time': .2,
            'step': epoch}


def write_run(folder, name, lines, log, torn=''):
    data = folder / name / 'vis_data'
    data.mkdir(parents=True)
    (data / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines) + torn)
    (data / 'config.py').write_text(CONFIG)
    (folder / name / f'{name}.log').write_text(log)


def record(level, text, hour=0):
    return f'2026/01/01 {hour:02}:00:00 - mmengine - {level} - {text}\n'


def write_search(folder):
    """Epoch 1 and half of epoch 2, stopped after the checkpoint of epoch 1; then epochs 2 and 3. Returns the folder."""
    first = [dict({'table/top1': 50.}, epoch=0, iter=0, step=0), training(2), training(4), validation(1),
             training(6, shift=100.)]
    write_run(folder, FIRST, first, record('INFO', 'Config:\nmodel = 3') + record('WARNING', WARNING)
              + record('INFO', 'Architecture after epoch 1: old'), torn='{"a": ')
    second = [line for epoch in (2, 3) for line in (
        training(4 * epoch - 2), training(4 * epoch), dict(epoch_time=8.5, epoch=epoch, iter=4 * epoch, step=4 * epoch),
        validation(epoch))]
    write_run(folder, SECOND, second, record('INFO', 'resumed epoch: 1, iter: 4', 1) + record('WARNING', WARNING, 2)
              + record('ERROR', 'two\nlines', 3) + record('INFO', 'Architecture after epoch 3: |a|', 4)
              + record('INFO', 'Table at the end of the search: top1 56.00', 5))
    for iteration in (0, 2, 4, 6, 8, 10, 12):
        append_history(folder, dict(epoch=math.ceil(iteration / EPOCH), iteration=iteration, alphas={},
                                    importance=dict(cell=weights(iteration))))
    (folder / 'lookups.jsonl').write_text(''.join(json.dumps(dict(
        epoch=epoch, iteration=4 * epoch, architecture='|a|', entropy=1., accuracies=dict(top1=50. + 2 * epoch))) + '\n'
        for epoch in range(4)))
    genotype = replace(resolve_genotype('nasbench201_skip'), importance=dict(cell=weights(12)),
                       source=dict(config='tiny.py', iteration=12))
    save_genotype(genotype, folder / 'architecture.json')
    draw_genotype(genotype, folder / 'architecture')
    assert (folder / HISTORY).is_file()
    return folder
