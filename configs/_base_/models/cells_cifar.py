"""20 cells of 36 channels with an auxiliary classifier of weight .4 (the paper's Tables 28-31)."""
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='imtnas_mm.CellNet', architecture='darts_v2', channels=36, layers=20, auxiliary=True, drop_path=.2),
    head=dict(
        type='imtnas_mm.CellHead',
        num_classes=10,
        in_channels=576,  # 16 times CellNet's channels
        auxiliary=dict(stride=3),
        auxiliary_weight=.4))
