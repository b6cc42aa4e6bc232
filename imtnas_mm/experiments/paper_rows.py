"""The rows of the paper's tables and figures, which the files in configs/experiments/ have at two scales.

``search`` is the config of a search, relative to the experiment's file. A row
is a dict as :class:`~imtnas_mm.experiments.Experiment` has it.
"""
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
Options = dict[str, Any]

FIRST_ORDER = {'model.hypergradient': 'first_order'}
# row -> search, prefix of the retrainings' configs, and the options of the space's own method
CELL_SPACES: dict[str, tuple[str, str, Options]] = dict(
    Darts2nd=('darts', '', {'model.virtual_step': dict(momentum=True, weight_decay=True)}),
    Pdarts=('pdarts', 'pdarts_', FIRST_ORDER),
    Pcdarts=('pcdarts', 'pcdarts_', FIRST_ORDER),
    Prdarts=('prdarts', '', FIRST_ORDER))


def independent(name: str, network: str) -> Row:
    """A network of its own: configs/independent/ trains it on ImageNet, then on COCO."""
    return dict(name=name, evaluations=dict(
        imagenet=dict(config=f'../independent/{network}_imagenet.py', shape=(224, 224)),
        coco=dict(config=f'../independent/{network}_retinanet_coco.py', shape=(800, 1344), initial='imagenet')))


def multitask(search: str, sharing_weight: float, suffix: str = '', joint: Options | None = None,
              sws: Options | None = None, separate: Options | None = None, between: Iterable[Row] = (),
              **fields: Any) -> list[Row]:
    """Every method of several tasks by itself (Tables 2 and 3).

    Args:
        sharing_weight: gamma of MTL-SWS and MI.
        suffix: of the names.
        joint: more options of the methods that have a joint loss, and of MI.
        sws, separate: more options of MTL-SWS, and of SI.
        between: rows before that of MI.
        fields: of all rows.
    """

    def row(name: str, method: str, *options: Options | None) -> Row:
        merged = {key: value for some in options if some for key, value in some.items()}
        return dict(name=f'{name}{suffix}', search=search, options={'model.type': method, **merged}, **fields)

    weight = {'model.sharing_weight': sharing_weight}
    return [
        row('MTL-SAO', 'MTLSAO', joint),
        row('MTL-HWS', 'MTLHWS', joint),
        row('MTL-SWS', 'MTLSWS', weight, joint, sws),
        *between,
        row('MI', 'MinibatchInterleaving', weight, joint),
        row('SI', 'SeparateInterleaving', separate),
        dict(name=f'IMTNAS{suffix} (ours)', search=search, **fields),
    ]


def sharing_searches(searches: str, evaluations: dict[str, Any]) -> list[Row]:
    """MTL-NAS and BMTAS, which search one network of all tasks.

    Args:
        searches: their configs, with ``{}`` in the place of the method.
    """
    return [dict(name=name, search=searches.format(method), evaluations=evaluations)
            for name, method in (('MTL-NAS', 'mtlnas'), ('BMTAS', 'bmtas'))]


def cell_evaluations(space: str) -> dict[str, Any]:
    """CIFAR-100 and CIFAR-10 by the retrainings of a cell space."""
    prefix = CELL_SPACES[space][1]
    return dict(c100=dict(config=f'../retrain/cells_{prefix}cifar100.py', shape=(32, 32)),
                c10=dict(config=f'../retrain/cells_{prefix}cifar10.py', shape=(32, 32)))


def cell_search(space: str, scale: str = '') -> str:
    """The IMTNAS search of a cell space; ``scale`` is the end of the config's name."""
    return f'../imtnas_cifar_{CELL_SPACES[space][0]}{scale}.py'


def single_tasks(space: str, search: str, c10: Sequence[str] = ('c10', ), **fields: Any) -> Row:
    """A cell space's own method, which searches each task by itself; ``c10`` are the evaluations of CIFAR-10's."""
    return dict(name=space, search=search, options={'model.loss_normalization': 'none', **CELL_SPACES[space][2]},
                single_task=dict(c100=['c100'], c10=list(c10)), **fields)


def encoder_weights(space: str, search: str, **fields: Any) -> list[Row]:
    """A cell space's own method, and IMTNAS with stored weights and with a hypernetwork (Table 5)."""
    return [
        single_tasks(space, search, **fields),
        dict(name=f'NHN-{space} (ours)', search=search, options={
            'model.encoder_weights': dict(_delete_=True, type='StoredWeights')}, **fields),
        dict(name=f'HN-{space} (ours)', search=search, **fields),
    ]


def weights_of_cifar10(search: str) -> list[Row]:
    """MTL-SWS over the weight of CIFAR-10's training loss (Table 4)."""
    return [dict(name=f'{weight:g}', search=search, options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 100., 'model.train_weights': dict(c100=1., c10=weight)})
            for weight in (.01, .05, .1, .5, .7, 1., 1.5, 2.)]


def weights_of_classification(search: str) -> list[Row]:
    """MTL-SWS over the weight of the classification loss (Figure 1, left)."""
    return [dict(name=f'{weight:g}', x=weight, search=search, options={
        'model.type': 'MTLSWS', 'model.sharing_weight': 10., 'model.train_weights': dict(cls=weight, det=1.)})
            for weight in (.1, .5, 1., 2., 10.)]


def transfers(search: str, num_examples: int) -> list[Row]:
    """Kinds of knowledge transfer (Table 6)."""

    def row(name: str, **transfer: Any) -> Row:
        return dict(name=name, search=search, options={'model.transfer': dict(_delete_=True, **transfer)})

    return [
        dict(name='Ours', search=search),
        row('L2-Weights', type='L2Weights'),
        row('L2-Embedding', type='L2Embedding', num_examples=num_examples, image_size=32),
        row('Example-Similarity', type='ExampleSimilarity', num_examples=num_examples, image_size=32),
    ]


def orders(search: str) -> list[Row]:
    """The order of two tasks (Table 7); the first is c100, c10, c100, c10."""
    return [dict(name='Order 1', search=search),
            dict(name='Order 2', search=search, options={'train_cfg.order': ('c10', 'c100')})]


def orders_of_three(search: str) -> list[Row]:
    """The order of three tasks (Table 14)."""
    return [dict(name=', '.join(order), search=search, options={'train_cfg.order': order})
            for order in (('c100', 'c10', 'imagenet'), ('c100', 'imagenet', 'c10'), ('imagenet', 'c10', 'c100'))]


def augmentations(search: str, numbers: Iterable[int]) -> list[Row]:
    """The number C of augmentations per set (Table 8); 0 is no transfer."""
    return [dict(name='0', search=search, options={'model.transfer': None}),
            *(dict(name=f'{number}', search=search, options={'model.transfer.num_augmentations': number})
              for number in numbers)]


def thresholds(search: str, values: Iterable[float]) -> list[Row]:
    """The threshold tau (Table 10)."""
    return [dict(name=f'{tau:g}', search=search, options={'model.transfer.threshold': tau}) for tau in values]


def published_cells(search: str) -> list[Row]:
    """DARTS of the first order, the architectures that others published, and IMTNAS (Table 16)."""
    return [
        dict(name='DARTS-1st', search=search, options={'model.loss_normalization': 'none', **FIRST_ORDER},
             single_task=dict(c100=['c100'], c10=['c10'])),
        *(dict(name=f'{name} (published)', architecture=name)
          for name in ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pr_darts')),
        dict(name='IMTNAS-Darts2nd (ours)', search=search),
    ]


def rounds(search: str, numbers: Iterable[int] = (1, 2, 3), **options: Any) -> list[Row]:
    """IMTNAS over the number M of rounds (Figures 1, right, and 2; E.5)."""
    return [dict(name=f'{number}', x=number, search=search, options={'train_cfg.rounds': number, **options})
            for number in numbers]


def held_out_slices(held_out: Options, others: Options) -> dict[str, Options]:
    """The slices of a search that learns on ``others`` of each training set and is tested on ``held_out`` (E.5)."""
    return {f'{part}_dataloader.{task}.dataset': piece for task in ('c10', 'c100')
            for part, piece in (('train', others), ('test', held_out))}
