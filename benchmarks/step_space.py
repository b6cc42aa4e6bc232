"""Measures how near the one-step W~ of a search is to the weights that its optimiser makes, by ``model.step_space``.

python benchmarks/step_space.py [--iterations N] [--out FILE]

The search is configs/imtnas_cifar_nasbench201_small.py on its real images, with the full config's rate of the weights;
its optimisers have momentum, decay and clipping. W' are the encoder weights after the optimiser's step that follows a
stage: after the iteration, or after the stage with ``hypernetwork_step='stage'``. A is the same for both.

norm_<row>: the mean of ||W~ - W|| / ||W' - W|| over the stages that have a step. cosine_<row>: of these two vectors.
seconds_<row>: CPU time of an iteration, the median; one thread, all rows in one process.
"""
import os
import sys
import tempfile
import time
from statistics import fmean, median
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, os.pardir, 'configs', 'imtnas_cifar_nasbench201_small.py')
RATE = .025  # of the weights in the full config
SGD = dict(momentum=True, weight_decay=True)
STORED = dict(encoder_weights=dict(type='StoredWeights'))
V = dict(step_space='hypernetwork')
ROWS = dict(  # options of the model
    weights={},
    hypernetwork=V,
    hypernetwork_sgd=dict(V, virtual_step=dict(SGD, clip_grad=True)),
    weights_stage=dict(hypernetwork_step='stage'),
    hypernetwork_stage=dict(V, virtual_step=dict(SGD, clip_grad=True), hypernetwork_step='stage'),
    stored=STORED,
    stored_sgd=dict(STORED, virtual_step=SGD))


class Watch:
    """Notes W, W~ and W' of each stage, and the time of each iteration."""

    def __init__(self, model, loop):
        self.model, self.after_stage = model, model.hypernetwork_step == 'stage'
        self.norms, self.cosines, self.seconds = [], [], []
        train_stage, step_weights, run_iter = model.train_stage, model.step_weights, loop.run_iter

        def training(stage, batch, optim_wrapper):
            before = self.weights(stage)
            figures = train_stage(stage, batch, optim_wrapper)
            self.steps.append((stage, before, model.records[-1].virtual_encoder - before))
            if self.after_stage:
                self.note(*self.steps.pop())
            return figures

        def stepping(optim_wrapper):
            importance = model.importance
            step_weights(optim_wrapper)
            for taken in self.steps:
                self.note(*taken, importance)

        def running(*args):
            self.steps, start = [], time.process_time()
            run_iter(*args)
            self.seconds.append(time.process_time() - start)

        for owner, name, function in ((model, 'train_stage', training), (model, 'step_weights', stepping),
                                      (loop, 'run_iter', running)):
            setattr(owner, name, function)

    def weights(self, stage, importance=None):
        return self.model.encoder(stage, self.model.importance if importance is None else importance).detach().clone()

    def note(self, stage, before, virtual, importance=None):
        import torch
        real = self.weights(stage, importance) - before
        if virtual.norm() > 0 and real.norm() > 0:
            self.norms.append((virtual.norm() / real.norm()).item())
            self.cosines.append(torch.cosine_similarity(virtual, real, 0).item())


def search(options, iterations, folder):
    """The :class:`Watch` of a search."""
    from imtnas_mm.engine.launch.build import build_runner
    from imtnas_mm.engine.launch.config import load_config
    cfg = load_config(SimpleNamespace(config=CONFIG, work_dir=folder, cfg_options=None, launcher='none', local_rank=0))
    for name, value in options.items():
        cfg.model[name] = value
    for part in ('encoder', 'head'):
        cfg.optim_wrapper[part].optimizer.lr = RATE
    cfg.train_cfg.update(max_epochs=1, epoch_length=iterations, val_interval=2)
    cfg.experiment_name = os.path.basename(folder)
    runner = build_runner(cfg)
    watch = Watch(runner.model, runner.train_loop)
    runner.train()
    return watch


def main():
    sys.path.insert(0, HERE)
    from figures import arguments, report
    parser = arguments(__doc__)
    parser.add_argument('--iterations', type=int, default=20)
    args = parser.parse_args()
    import torch
    torch.set_num_threads(1)
    figures = {}
    for name, options in ROWS.items():
        with tempfile.TemporaryDirectory() as folder:
            watch = search(options, args.iterations, os.path.join(folder, name))
        figures.update({f'norm_{name}': fmean(watch.norms), f'cosine_{name}': fmean(watch.cosines),
                        f'seconds_{name}': median(watch.seconds[1:]), f'steps_{name}': len(watch.norms)})
    report(figures, args.out)


if __name__ == '__main__':
    main()
