"""The paper's Table 3: methods on the four cell spaces, CIFAR-100 and CIFAR-10, and transferred to ImageNet.

The rows that the paper took from other papers are left out. A space's own row searches each task by itself, and
transfers what CIFAR-10 gives. ImageNet is for the first seed, as the paper has no deviations there. What BMTAS and
MTL-NAS find is one network of both tasks: these are retrained together, and ImageNet gets its operations alone. The p
values are those of Tables 17 and 18: ours in a space against each other row of it.

Searches have the 50 epochs of Tables 24 to 27, but for DARTS by itself 150 (E.1), for PR-DARTS by itself 200 (E.4; its
Table 27 is of IMTNAS alone), and for MTL-SWS on PC-DARTS 100 (Table 20). 4.4.1 has the epochs of the baselines in the
appendix, and more of them than in their papers: P-DARTS's paper has 25 in each of three phases, so that 50 are read as
those of each phase. Other numbers are options of a row, as epochs(25) of paper_rows.py has them.
"""
_base_ = ['_base_/cifar_paper.py']
from imtnas_mm.experiments.paper_rows import (
    IMAGENET,
    OWN_EPOCHS,
    SWS_EPOCHS,
    cell_search,
    epochs,
    multitask,
    sharing_searches,
    single_tasks,
    transferred,
)

title = 'Table 3: classification on CIFAR-100 and CIFAR-10'
columns = [
    *_base_.columns,
    dict(name='ImageNet top-1 error (%)', evaluation='imagenet', metric='accuracy/top1', error=True),
    dict(name='ImageNet top-5 error (%)', evaluation='imagenet', metric='accuracy/top5', error=True),
    dict(name='parameters (M)', evaluation='c10', metric='parameters', scale=1e-6),
    dict(name='search time (days)', metric='search_time', scale=1 / 86400),
]
together = dict(joint=dict(
    config='../retrain/joint_cells_cifar.py', shape=(32, 32), tasks=dict(c100='c100', c10='c10')))


def methods(space):
    search, fields = cell_search(space), dict(transferred(space), ours=f'IMTNAS-{space} (ours)')
    return [single_tasks(space, search, c10=('c10', 'imagenet'), max_epochs=OWN_EPOCHS.get(space), **fields),
            *multitask(search, 100., suffix=f'-{space}', sws=epochs(SWS_EPOCHS.get(space)), **fields)]


rows = [
    *sharing_searches('../{}_cifar_darts.py', dict(together, imagenet=IMAGENET)),
    *methods('Darts2nd'),
    *methods('Pdarts'),
    *methods('Pcdarts'),
    *methods('Prdarts'),
]
