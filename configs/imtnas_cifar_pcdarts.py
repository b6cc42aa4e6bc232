"""IMTNAS on the PC-DARTS space over CIFAR-10 and CIFAR-100 (paper E.2, Table 26).

E.2 and Table 26 differ: Table 26 is taken (batch 64, lr .025, A's lr 3e-4), but for A's 15 frozen epochs, which E.2
alone gives. E.2 is
    --cfg-options train_dataloader.c10.batch_size=256 train_dataloader.c100.batch_size=256
        optim_wrapper.encoder.optimizer.lr=.1 optim_wrapper.head.optimizer.lr=.1
        optim_wrapper.architecture.optimizer.lr=6e-4
"""
_base_ = ['imtnas_cifar_darts.py']
model = dict(recompute='none', search_space=dict(type='PCDARTSSupernet', part=4))
train_cfg = dict(warmup_epochs=15)
cosine = dict(type='CosineAnnealingLR', eta_min=0., by_epoch=True, convert_to_iter_based=True)
param_scheduler = dict(encoder=[cosine], head=[cosine])
