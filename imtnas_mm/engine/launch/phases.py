"""Runs a search in phases (P-DARTS): each phase searches among the operations that the previous one kept."""
import copy
import json
import logging
import os
import os.path as osp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log

from ...algorithms.base import SearchAlgorithm
from ...analysis.draw import draw_genotype
from ...files.atomic import write_whole
from ...genotype import load_genotype, save_genotype
from ...picture import write_picture
from ...search_report import write_report
from ...search_report.phases_page import RECORD
from ...space_format import PhaseFormat, format_of
from ...spaces.base import SearchSpace
from .build import build_runner
from .total_batch import warn_of_other_batches

FORMAT = 'imtnas_mm.phase'


def check_phases(cfg: Config) -> None:
    """Raises ValueError for ``phases`` of a config that can't be run."""
    phases = cfg.phases
    if not isinstance(phases, (list, tuple)) or not phases:
        raise ValueError(f'phases={phases!r} must be a list of dict(keep=..., config=...)')
    for i, phase in enumerate(phases):
        if set(phase) != {'keep', 'config'}:
            raise ValueError(f'phases[{i}] has {sorted(phase)}; it takes keep and config')
        keep, last = phase['keep'], i == len(phases) - 1
        if (keep is not None) if last else not isinstance(keep, int) or keep < 1:
            raise ValueError(f'phases[{i}].keep={keep!r} must be ' + (
                'None: nothing follows the last phase' if last else 'the number of operations that the next one has'))


def run_phases(cfg: Config) -> None:
    """Run the phases of a config one after the other; with ``cfg.resume``, skip those that have ended.

    ``phase<n>`` of the work dir holds a phase's checkpoints, logs and
    architecture. The work dir itself gets the last phase's architecture, and a
    picture of the operations that each phase kept.
    """
    check_phases(cfg)
    if cfg.get('load_from'):
        raise ValueError(f'load_from={cfg.load_from!r}: a search in phases starts anew, or is resumed from its work '
                         'dir by --resume without a path')
    records: list[dict[str, Any]] = []
    if not cfg.get('resume'):
        forget_phases(cfg.work_dir)
    for number, phase in enumerate(cfg.phases, 1):
        folder = osp.join(cfg.work_dir, f'phase{number}')
        record = read_phase(folder) if cfg.get('resume') else None
        if record is not None and records and record['candidates'] != records[-1]['kept']:
            raise ValueError(f'{osp.join(folder, RECORD)}: its candidates are not those that phase {number - 1} kept, '
                             'so it is of another search; remove it to run the phase again')
        if record is None:
            record = run_phase(phase_config(cfg, phase, folder, records), phase['keep'], osp.join(folder, RECORD))
        else:
            print_log(f'phase {number} has ended already: {folder}', 'current')
        records.append(record)
    if is_main_process():
        finish(cfg.work_dir, folder, records)
    barrier()


def forget_phases(work_dir: str) -> None:
    """Removes what a later ``--resume`` would take for phases of this search; checkpoints and logs stay."""
    if is_main_process():
        for name in (RECORD, 'last_checkpoint'):
            for path in Path(work_dir).glob(f'phase*/{name}'):
                path.unlink()
    barrier()


def phase_config(cfg: Config, phase: Mapping[str, Any], folder: str, records: Sequence[Mapping[str, Any]]) -> Config:
    """The config of one phase: the phase's changes and the operations kept so far are put into the search's config."""
    changed = copy.deepcopy(cfg)
    changed.merge_from_dict(copy.deepcopy(phase['config']))
    changed.pop('phases')
    changed.work_dir = folder
    # mmengine keeps loggers and visualizers by name: each phase needs names of its own
    for named in (changed, changed.get('visualizer') or {}):
        for key in ('experiment_name', 'name'):
            if named.get(key):
                named[key] = f'{named[key]}_{osp.basename(folder)}'
    if records:
        changed.model.search_space.candidates = ConfigDict(records[-1]['kept'])
    return changed


def check_space(model: SearchAlgorithm) -> None:
    """Raises ValueError for a search whose space can't be searched in phases."""
    space: Any = model.space  # with another group of A, it passes on the methods of the space inside
    if space.next_candidates.__func__ is SearchSpace.next_candidates:
        raise ValueError(f'phases: model.search_space.type={type(model.first_task.space).__name__} has no phases; it '
                         'must be a space with next_candidates, such as PDARTSSupernet')
    phase_format(model.derive().space)


def run_phase(cfg: Config, keep: int | None, path: str) -> dict[str, Any]:
    runner = build_runner(cfg)
    warn_of_other_batches(runner)
    model: Any = runner.model
    check_space(model)
    if is_main_process() and osp.exists(path):
        os.remove(path)
    runner.train()
    genotype = model.derive()
    record = dict(
        format=FORMAT,
        space=genotype.space,
        candidates=as_lists(model.space.candidates()),
        importance=genotype.importance,
        kept=kept_operations(model, keep))
    if is_main_process():
        write_whole(path, json.dumps(record, indent=1))
    barrier()
    return record


def kept_operations(model: SearchAlgorithm, keep: int | None) -> dict[str, list[list[str]]] | None:
    """The candidates that the next phase of a search gets; None after the last."""
    if keep is None:
        return None
    alphas = {name: alpha.detach().cpu() for name, alpha in model.architecture.named_alphas().items()}
    space: Any = model.space
    return as_lists(space.next_candidates(alphas, keep))


def as_lists(candidates: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, list[list[str]]]:
    """Candidates as JSON holds them, alike for a phase that ran now and for a record on the disk."""
    return {kind: [list(names) for names in rows] for kind, rows in candidates.items()}


def phase_format(space: str) -> PhaseFormat:
    """Raises ValueError if the format of a space has no phases."""
    phases = format_of(space).phases
    if phases is None:
        raise ValueError(f'phases: the SpaceFormat of {space} has no phases')
    return phases


def read_phase(folder: str) -> dict[str, Any] | None:
    """The record of a phase that has ended; ``None`` if it has not."""
    path = osp.join(folder, RECORD)
    if not osp.isfile(path):
        return None
    try:
        with open(path) as file:
            record = json.load(file)
        if record.get('format') != FORMAT:
            raise ValueError(f'format: {record.get("format")!r}; it must be {FORMAT!r}')
        # records of earlier versions don't name the space
        space = record.get('space') or load_genotype(osp.join(folder, 'architecture.json')).space
        phases = phase_format(space)
        for name in ('candidates', 'kept'):
            if record[name] is not None:
                phases.check(record[name])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: cannot be read ({type(error).__name__}: {error}); remove it to run the phase '
                         'again') from error
    return record


def finish(work_dir: str, last_folder: str, records: Sequence[Mapping[str, Any]]) -> None:
    genotype = load_genotype(osp.join(last_folder, 'architecture.json'))
    save_genotype(genotype, osp.join(work_dir, 'architecture.json'))
    draw_genotype(genotype, osp.join(work_dir, 'architecture'))
    draw = phase_format(genotype.space).draw
    if draw is not None:
        write_picture(osp.join(work_dir, 'phases'), lambda: draw(records, None, genotype))
    try:
        write_report(work_dir)
    except (OSError, ValueError) as error:  # a page is no reason to fail after a search
        print_log(f'{work_dir}: its page could not be written: {error}; tools/report_search.py writes it later',
                  'current', logging.WARNING)
