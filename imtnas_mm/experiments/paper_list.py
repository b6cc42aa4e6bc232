"""All tables and figures of the paper: the experiment that gives each, or why there is none.

tools/comparisons.py makes docs/comparisons.md from it. An experiment is named by its file in configs/experiments/.
"""
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .markdown_table import table_lines

SCALES = ('paper', 'small')
MAIN_PLACE, LOOKUP_PLACE = '<!-- experiments -->\n', '<!-- lookups -->\n'  # in the template of the document


@dataclass(frozen=True)
class Item:
    """One or several tables or figures.

    Args:
        names (str): as in ``Table 2``, ``Tables 17 and 18`` or ``Figures 3 to 16``.
        text (str): the rows of its experiment, or the sentence why it has none.
        experiment (str): its file without ``_paper.py`` and ``_small.py``; empty if there is none.
        configs (tuple[str]): configs whose values it lists, in configs/.
        lookup (tuple[str, str] | None): an experiment on NAS-Bench-201 with the same question, and its rows.
    """
    names: str
    text: str
    experiment: str = ''
    configs: tuple[str, ...] = ()
    lookup: tuple[str, str] | None = None

    def numbers(self) -> Iterator[tuple[str, int]]:
        """('Table' or 'Figure', number) of each; none for a section of the text."""
        match = re.match(r'(Table|Figure)s? (\d+)(?: (to|and) (\d+))?', self.names)
        if match:
            kind, first, _, last = match.groups()
            for number in range(int(first), int(last or first) + 1):
                yield kind, number

    def experiments(self) -> list[str]:
        """The names of its experiments at both scales."""
        return [f'{self.experiment}_{scale}' for scale in SCALES] if self.experiment else []


ITEMS = (
    Item('Table 1', 'It has the notation, and no results.'),
    Item('Table 2', 'independent networks and methods, on COCO and ImageNet', 'table2'),
    Item('Table 3', 'methods on the four cell spaces, on CIFAR-100 and CIFAR-10 (paper: and transferred to ImageNet)',
         'table3', lookup=('nasbench201_methods_small', 'methods, random cells, and samplers of 25 and 100 queries')),
    Item('Table 4', "MTL-SWS over the weight of CIFAR-10's loss", 'table4', lookup=(
        'nasbench201_weights_small', "MTL-SWS over the weight of CIFAR-10's loss")),
    Item('Table 5', "encoder weights from a hypernetwork and stored, and each space's own method", 'table5', lookup=(
        'nasbench201_encoder_small', 'encoder weights from a hypernetwork and stored')),
    Item('Table 6', 'kinds of knowledge transfer (small: and none)', 'table6', lookup=(
        'nasbench201_transfer_small', 'kinds of knowledge transfer, and none')),
    Item('Table 7', 'order of the tasks', 'table7', lookup=('nasbench201_order_small', 'order of the tasks')),
    Item('Table 8', 'number C of augmentations', 'table8', lookup=(
        'nasbench201_augmentations_small', 'number C of augmentations')),
    Item('Table 9', 'many rounds in few epochs', 'table9'),
    Item('Table 10', 'threshold tau', 'table10', lookup=('nasbench201_tau_small', 'threshold tau')),
    Item('Table 11', 'CIFAR-100: DARTS-1st, PC-DARTS, and MTL-SWS and IMTNAS on three tasks', 'table11'),
    Item('Table 12', 'CIFAR-10: the same', 'table12'),
    Item('Table 13', 'ImageNet: PC-DARTS searched on CIFAR-10 and on ImageNet, MTL-SWS and IMTNAS on three tasks, and '
         'IMTNAS on ImageNet alone', 'table13'),
    Item('Table 14', 'order of three tasks', 'table14'),
    Item('Table 15', 'more independent networks, and a second run of IMTNAS', 'table15'),
    Item('Table 16', 'DARTS-1st and published cells, in place of rows that the paper took from elsewhere', 'table16'),
    Item('Tables 17 and 18', 'the p values in the report of Table 3: ours against each other row of a space',
         'table3'),
    Item('Tables 19 to 23', 'IMTNAS and MTL-SWS on DARTS, P-DARTS and PC-DARTS: time per epoch of search and '
         'retraining, and accuracy of the search network on D^val', 'table19_to_23'),
    Item('Table 24', 'Settings, in the config of a search.', configs=('imtnas_cifar_darts.py', )),
    Item('Table 25', 'Settings, in the config of a search.', configs=('imtnas_cifar_pdarts.py', )),
    Item('Table 26', 'Settings, in the config of a search.', configs=('imtnas_cifar_pcdarts.py', )),
    Item('Table 27', 'Settings, in the config of a search.', configs=('imtnas_cifar_prdarts.py', )),
    Item('Table 28', 'Settings, in the configs of retrainings.', configs=(
        'retrain/cells_cifar10.py', 'retrain/cells_cifar100.py')),
    Item('Table 29', 'Settings, in the configs of retrainings.', configs=(
        'retrain/cells_pdarts_cifar10.py', 'retrain/cells_pdarts_cifar100.py')),
    Item('Table 30', 'Settings, in the configs of retrainings.', configs=(
        'retrain/cells_pcdarts_cifar10.py', 'retrain/cells_pcdarts_cifar100.py')),
    Item('Table 31', 'Settings, in the configs of retrainings.', configs=(
        'retrain/cells_cifar10.py', 'retrain/cells_cifar100.py')),
    Item('Table 32', 'Settings, in the config of a retraining.', configs=('retrain/cells_imagenet.py', )),
    Item('Figure 1, left', 'MTL-SWS over the weight of the classification loss', 'figure1_left'),
    Item('Figure 1, right', 'IMTNAS over the number M of rounds, each a search, on COCO and ImageNet',
         'figure1_right'),
    Item('Figure 1, right', 'the networks of each round of one search of three rounds', 'figure1_right_rounds'),
    Item('Figure 2', 'IMTNAS over M, on CIFAR-100 and CIFAR-10', 'figure2', lookup=(
        'nasbench201_rounds_small', 'IMTNAS over M = 1 to 4')),
    Item('Figures 3 to 16', "the cells that Table 3's IMTNAS and MTL-SWS found, on one sheet", 'figure3_to_16'),
    Item('E.5', 'IMTNAS over M in {2, 3, 4}, judged on images held out of the training sets', 'tune_rounds'),
)
# further experiments, which the paper doesn't have, and their rows
BESIDES = (('nasbench201_cost_small', 'targets of MACs: accuracy against cost'),
           ('nasbench201_settings_small', "IMTNAS's own settings: what was tried for better cells"),
           ('digits_small', 'methods of two tasks on handwritten digits, which need no download'),
           ('detector_small', 'a detector at 320 pixels, its backbone searched, and MobileNetV2'))
TABLES, FIGURES = 32, 16  # in the paper


def document(template: str) -> str:
    """The template of docs/comparisons.md with the tables of all experiments in their places.

    Raises:
        ValueError: a place is missing.
    """
    main = table_lines(('of the paper', 'experiment', 'rows'), [
        (item.names,
         f'`{item.experiment}_*`' if item.experiment else ', '.join(f'`configs/{file}`' for file in item.configs)
         or 'none', item.text) for item in ITEMS])
    lookups = table_lines(('experiment', 'of the paper', 'rows'), [
        (f'`{item.lookup[0]}`', item.names, item.lookup[1]) for item in ITEMS if item.lookup] + [
        (f'`{name}`', 'none', text) for name, text in BESIDES])
    for place, lines in ((MAIN_PLACE, main), (LOOKUP_PLACE, lookups)):
        if template.count(place) != 1:
            raise ValueError(f'{place.strip()}: it must be in the template once, on a line of its own')
        template = template.replace(place, '\n'.join(lines) + '\n')
    return template


def missing(experiments: Path, configs: Path) -> list[str]:
    """Names of the list that the folders lack, and experiments that the list lacks; one text each."""
    named = {name for item in ITEMS for name in item.experiments()} | {
        item.lookup[0] for item in ITEMS if item.lookup} | {name for name, _ in BESIDES}
    existing = {path.stem for path in experiments.glob('*.py')}
    texts = [f'{name}: is in the list and not in {experiments}' for name in sorted(named - existing)]
    texts += [f'{name}: is in {experiments} and not in the list of the tables and figures'
              for name in sorted(existing - named)]
    return texts + [f'{file}: is in the list and not in {configs}' for item in ITEMS for file in item.configs
                    if not (configs / file).is_file()]
