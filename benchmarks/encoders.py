"""Shows what the encoders of the later tasks learn, without and with a share of their task's loss.

python benchmarks/encoders.py [--weights 0 1] [--epochs 6] [--encoder-weights StoredWeights] [--out FILE]
Searches configs/imtnas_cifar_nasbench201_small.py (50 iterations per epoch; its data in data/small) once per value of
model.encoder_task_weight. <w> is the value, W_k the encoder weights of task k in the last round:
weight_<w>_cosine: of the movement of W_2 and that of W_1, from the start of the search to its end;
weight_<w>_length: of W_2's movement over W_1's;
weight_<w>_accuracy_1, _2: top-1 (%) of the search networks of both tasks on their validation sets, and
weight_<w>_active: mean share of pairs with an active hinge.
"""
import tempfile
from pathlib import Path

import torch
from figures import arguments, report

CONFIG = Path(__file__).resolve().parents[1] / 'configs' / 'imtnas_cifar_nasbench201_small.py'


def last_encoders(model):
    """W_k of the last round at the present A, one row per task."""
    model.refresh_gates()
    with torch.no_grad():
        return torch.stack([model.encoder(stage, model.importance) for stage in model.stages[-len(model.order):]])


def search(weight, epochs, encoder_weights):
    from mmengine.config import Config
    from mmengine.hooks import Hook

    from imtnas_mm.engine.launch.build import build_runner

    class Activity(Hook):
        """The shares of active pairs of all iterations."""
        shares: list = []

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            self.shares.append(float(outputs['transfer/active']))

    cfg = Config.fromfile(CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        cfg.merge_from_dict({
            'work_dir': folder, 'launcher': 'none', 'experiment_name': f'encoders_{weight}_{id(cfg)}',
            'model.encoder_weights': dict(type=encoder_weights, _delete_=True),
            'model.encoder_task_weight': weight, 'train_cfg.max_epochs': epochs, 'train_cfg.val_interval': epochs,
            'default_hooks.checkpoint.interval': epochs, 'default_hooks.logger.interval': 50})
        runner, activity = build_runner(cfg), Activity()
        runner.register_hook(activity)
        model = runner.model
        model.start_iteration(0)
        start = last_encoders(model)
        runner.train()
        metrics = runner.val_loop.run()
    first, second, *_ = last_encoders(model) - start
    figures = dict(cosine=torch.cosine_similarity(first, second, dim=0).item(),
                   length=(second.norm() / first.norm()).item())
    for k, task in enumerate(model.order[:2], 1):
        figures[f'accuracy_{k}'] = metrics[f'{task}/accuracy/top1']
    figures['active'] = sum(activity.shares) / len(activity.shares)
    activity.shares.clear()
    return {f'weight_{weight:g}_{name}': value for name, value in figures.items()}


def main():
    parser = arguments(__doc__)
    parser.add_argument('--weights', type=float, nargs='+', default=[0., 1.], help='of model.encoder_task_weight')
    parser.add_argument('--epochs', type=int, default=6, help='of 50 iterations')
    parser.add_argument('--encoder-weights', choices=['HyperNetwork', 'StoredWeights'], default='HyperNetwork')
    args = parser.parse_args()
    import imtnas_mm.algorithms
    import imtnas_mm.datasets
    import imtnas_mm.engine
    import imtnas_mm.networks
    import imtnas_mm.spaces  # noqa: F401
    figures = {}
    for weight in args.weights:
        figures.update(search(weight, args.epochs, args.encoder_weights))
    report(figures, args.out)


if __name__ == '__main__':
    main()
