"""The paper's Tables 19 to 23 at a scale of minutes per run, from the runs of table3_small.py."""
_base_ = ['_base_/cifar_small.py']
from imtnas_mm.experiments.paper_rows import timed

title = 'Tables 19 to 23 (small): time per epoch, and accuracy of the search on D^val'
columns = [
    dict(name='search: s per epoch', metric='search_epoch_time'),
    dict(name='search: epochs', metric='search_epochs'),
    dict(name='cifar10 D^val accuracy (%)', evaluation='search', metric='c10/accuracy/top1'),
    dict(name='tiny100 D^val accuracy (%)', evaluation='search', metric='c100/accuracy/top1'),
    dict(name='cifar10: s per epoch', evaluation='c10', metric='epoch_time'),
    dict(name='tiny100: s per epoch', evaluation='c100', metric='epoch_time'),
]
rows = timed('_small')
