"""BMTAS's own settings; a config adds the search space and the tasks of the search that it is compared with."""
bmtas = dict(
    type='BMTAS',
    encoder_weights=dict(type='BranchedWeights'),
    branching=dict(temperature=(5., .1), hard=False, resource_weight=.05),
    hypergradient='exact',
    loss_normalization='running_mean',
    architecture=dict(init_std=1e-3))
