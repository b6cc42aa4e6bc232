"""MTL-NAS's own settings; a config adds the search space and the tasks of the search that it is compared with."""
mtlnas = dict(
    type='MTLNAS',
    fusion=dict(
        temperature_power=2.,
        min_temperature=.01,
        regularizer='entropy',
        regularizer_weight=10.,
        init=.1,
        learning_rate_factor=1.),
    hypergradient='exact',
    loss_normalization='running_mean',
    architecture=dict(init_std=1e-3))
