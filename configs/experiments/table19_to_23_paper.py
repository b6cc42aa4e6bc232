"""The paper's Tables 19 to 23: time per epoch of search and retraining, epochs, and accuracy of the search on D^val.

The rows are Table 3's, and so are the runs. The paper's tables have no PC-DARTS in Table 23.
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import SWS_EPOCHS, timed, transferred

title = 'Tables 19 to 23: time per epoch, and accuracy of the search on D^val'
columns = [
    dict(name='search: s per epoch (Table 19)', metric='search_epoch_time'),
    dict(name='search: epochs (20, 21)', metric='search_epochs'),
    dict(name='CIFAR-10 D^val accuracy (%) (20)', evaluation='search', metric='c10/accuracy/top1'),
    dict(name='CIFAR-100 D^val accuracy (%) (21)', evaluation='search', metric='c100/accuracy/top1'),
    dict(name='CIFAR-10: s per epoch (22)', evaluation='c10', metric='epoch_time'),
    dict(name='CIFAR-100: s per epoch (23)', evaluation='c100', metric='epoch_time'),
]
rows = timed(sws_epochs=SWS_EPOCHS, fields=transferred)
