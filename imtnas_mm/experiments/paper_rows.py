"""The rows of the paper's tables and figures, for the files in configs/experiments/ at both scales.

``search`` is the config of a search, relative to the experiment's file. A row
is a dict as :class:`~imtnas_mm.experiments.Experiment` has it.
"""
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
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
# Epochs of the paper's searches where they aren't the 50 of Tables 24 to 27. Those tables are of IMTNAS, and their 50
# hold for the other methods of several tasks, too. 4.4.1: the appendix has the baselines' numbers, larger than those in
# their own papers. P-DARTS has 50 in each of its three phases, since its paper has 25 in each.
OWN_EPOCHS = dict(Darts2nd=150, Prdarts=200)  # of a space's own method: E.1 ("regular DARTS"), E.4
SWS_EPOCHS = dict(Pcdarts=100)  # of MTL-SWS: Tables 20 and 21


def epochs(number: int | None) -> Options:
    """The options of a search of so many epochs; none for None."""
    return {} if number is None else {'train_cfg.max_epochs': number}


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
        merged = {key: value for part in options if part for key, value in part.items()}
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


# cells transferred to ImageNet; for the first seed, as the paper has no deviations there
IMAGENET = dict(config='../retrain/cells_imagenet.py', shape=(224, 224), seeds=[0], gpus=8)


def transferred(space: str) -> Options:
    """The evaluations of rows on a cell space that are transferred to ImageNet, as Table 3's are."""
    return dict(evaluations=dict(cell_evaluations(space), imagenet=IMAGENET))


def cell_search(space: str, scale: str = '') -> str:
    """The IMTNAS search of a cell space; ``scale`` is the end of the config's name."""
    return f'../imtnas_cifar_{CELL_SPACES[space][0]}{scale}.py'


def single_tasks(space: str, search: str, c10: Sequence[str] = ('c10', ), max_epochs: int | None = None,
                 **fields: Any) -> Row:
    """A cell space's own method, which searches each task by itself.

    Args:
        c10: the evaluations of the architecture of CIFAR-10's search.
        max_epochs: of each search, None for those of the config.
    """
    options = {'model.loss_normalization': 'none', **CELL_SPACES[space][2], **epochs(max_epochs)}
    return {**dict(name=space, search=search, options=options, single_task=dict(c100=['c100'], c10=list(c10))),
            **fields}


def encoder_weights(space: str, search: str, max_epochs: int | None = None, **fields: Any) -> list[Row]:
    """A cell space's own method, and IMTNAS with stored weights and with a hypernetwork (Table 5)."""
    return [
        single_tasks(space, search, max_epochs=max_epochs, **fields),
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


THREE = ('c100', 'c10', 'imagenet')  # the order of Appendix B


def three_tasks(search: str, sws_epochs: int | None = None) -> list[Row]:
    """MTL-SWS and IMTNAS over three tasks on PC-DARTS (Tables 11 to 13).

    The appendix's lambda of 100 is read as gamma, the weight of MTL-SWS.

    Args:
        sws_epochs: of MTL-SWS's search, None for those of the config.
    """
    order = {'train_cfg.order': THREE}
    return [
        dict(name='MTLSWS-PCDARTS', search=search, options={
            **order, 'model.type': 'MTLSWS', 'model.sharing_weight': 100., **epochs(sws_epochs)}),
        dict(name='IMTNAS-PCDARTS (ours)', search=search, options=order),
    ]


def imagenet_searches(search: str, evaluations: dict[str, Any], **fields: Any) -> list[Row]:
    """PC-DARTS and IMTNAS, searched on ImageNet alone (E.2; Table 13).

    Args:
        evaluations: those of ImageNet.
        fields: of both rows.
    """
    order = {'train_cfg.order': ('imagenet', )}
    return [
        dict(name='PC-DARTS (ImageNet)', search=search, evaluations=evaluations, single_task=dict(
            imagenet=list(evaluations)), options={
                **order, 'model.loss_normalization': 'none', **FIRST_ORDER}, **fields),
        dict(name='IMTNAS-PCDARTS (ImageNet alone)', search=search, evaluations=evaluations, options=order, **fields),
    ]


def timed(scale: str = '', sws_epochs: Mapping[str, int] = MappingProxyType({}),
          fields: Callable[[str], Options] = lambda space: {},
          spaces: Iterable[str] = ('Darts2nd', 'Pdarts', 'Pcdarts')) -> list[Row]:
    """IMTNAS and MTL-SWS on cell spaces, as Table 3 has them: the rows of Tables 19 to 23.

    Args:
        scale: the end of the searches' names.
        sws_epochs: space -> epochs of MTL-SWS's search, where they aren't those of the config.
        fields: of the rows of a space.
    """
    rows = []
    for space in spaces:
        of_space = {row['name']: row for row in multitask(
            cell_search(space, scale), 100., suffix=f'-{space}', sws=epochs(sws_epochs.get(space)), **fields(space))}
        rows += [of_space[f'IMTNAS-{space} (ours)'], of_space[f'MTL-SWS-{space}']]
    return rows


def found_cells(**options: Any) -> list[Row]:
    """The rows whose cells Figures 3 to 16 show: those of :func:`timed`, and IMTNAS on PR-DARTS."""
    return timed(spaces=('Darts2nd', 'Pdarts', 'Pcdarts', 'Prdarts'), **options)[:-1]


def orders_of_three(search: str) -> list[Row]:
    """The order of three tasks (Table 14)."""
    return [dict(name=', '.join(order), search=search, options={'train_cfg.order': order})
            for order in (THREE, ('c100', 'imagenet', 'c10'), ('imagenet', 'c10', 'c100'))]


def augmentations(search: str, numbers: Iterable[int]) -> list[Row]:
    """The number C of augmentations per set (Table 8); 0 is no transfer."""
    return [dict(name='0', search=search, options={'model.transfer': None}),
            *(dict(name=f'{number}', search=search, options={'model.transfer.num_augmentations': number})
              for number in numbers)]


def thresholds(search: str, values: Iterable[float]) -> list[Row]:
    """The threshold tau (Table 10), in standard deviations: the default statistic measures in units of tau."""
    return [dict(name=f'{tau:g}', search=search, options={
        'model.transfer.statistic': 'studentized', 'model.transfer.threshold': tau}) for tau in values]


def darts_1st(search: str, max_epochs: int | None = None, **fields: Any) -> Row:
    """DARTS of the first order on each task by itself."""
    return dict(name='DARTS-1st', search=search, single_task=dict(c100=['c100'], c10=['c10']), options={
        'model.loss_normalization': 'none', **FIRST_ORDER, **epochs(max_epochs)}, **fields)


def cifar_of_three_tasks(alone: dict[str, Any] | None = None) -> list[Row]:
    """DARTS-1st and PC-DARTS on each task by itself, and :func:`three_tasks` (Tables 11 and 12).

    Args:
        alone: the evaluations of the first two at the small scale; None for the paper's scale.
    """
    if alone is None:
        return [
            darts_1st('../imtnas_cifar_darts.py', OWN_EPOCHS['Darts2nd'], evaluations=cell_evaluations('Darts2nd')),
            single_tasks('Pcdarts', cell_search('Pcdarts'), name='PC-DARTS', c10=('c10', 'imagenet')),
            *three_tasks('../imtnas_three_tasks.py', SWS_EPOCHS['Pcdarts']),
        ]
    return [
        darts_1st('../imtnas_cifar_darts_small.py', evaluations=alone),
        single_tasks('Pcdarts', cell_search('Pcdarts', '_small'), name='PC-DARTS', evaluations=alone),
        *three_tasks('../imtnas_three_tasks_small.py'),
    ]


def published_cells(search: str, max_epochs: int | None = None) -> list[Row]:
    """DARTS of the first order, the architectures that others published, and IMTNAS (Table 16)."""
    return [
        darts_1st(search, max_epochs),
        *(dict(name=f'{name} (published)', architecture=name)
          for name in ('darts_v1', 'darts_v2', 'pdarts', 'pc_darts_cifar', 'pr_darts')),
        dict(name='IMTNAS-Darts2nd (ours)', search=search),
    ]


def rounds_of_one_search(search: str, number: int = 3) -> list[Row]:
    """The networks of each round of one search of ``number`` rounds (Figure 1, right)."""
    return [dict(name=f'round {m} of {number}', x=m, round=m, search=search, options={'train_cfg.rounds': number})
            for m in range(1, number + 1)]


def rounds(search: str, numbers: Iterable[int] = (1, 2, 3), **options: Any) -> list[Row]:
    """IMTNAS over the number M of rounds (Figures 1, right, and 2; E.5)."""
    return [dict(name=f'{number}', x=number, search=search, options={'train_cfg.rounds': number, **options})
            for number in numbers]


def held_out_slices(held_out: Options, others: Options) -> dict[str, Options]:
    """The slices of a search that learns on ``others`` of each training set and is tested on ``held_out`` (E.5)."""
    return {f'{part}_dataloader.{task}.dataset': piece for task in ('c10', 'c100')
            for part, piece in (('train', others), ('test', held_out))}
