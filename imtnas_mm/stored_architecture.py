"""The architecture that a checkpoint or an export holds, and the refusal of one that contradicts it."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files.config_text import expression_at, plain_value
from .genotype import Genotype, GenotypeError, contradiction, genotype_from_dict, published_names, resolve_genotype


def stored_genotype(saved: Mapping[str, Any], path: str | Path) -> Genotype | None:
    """The architecture of the network whose weights a checkpoint has.

    Trainings and exports record its content as ``meta['architecture']``. Older
    checkpoints have only ``model.backbone.architecture`` of their config,
    which may be the path of a file.

    Args:
        saved (dict): the content of the checkpoint.
        path (str): of the checkpoint, for errors.

    Returns:
        Genotype | None: None if the checkpoint holds none.

    Raises:
        GenotypeError: it is not valid, or is a file that isn't there.
    """
    recorded = recorded_genotype(saved, path)
    spec = _of_config(saved, path)
    if recorded is not None or spec is None:
        return recorded
    try:
        return resolve_genotype(spec)
    except GenotypeError as error:
        raise GenotypeError(f'{path}: meta.cfg: model.backbone.{error}. --architecture gives the file where it is '
                            'now') from error


def recorded_genotype(saved: Mapping[str, Any], path: str | Path) -> Genotype | None:
    """As :func:`stored_genotype`, but ``None`` where a checkpoint names a file, which may hold another one by now."""
    meta = saved.get('meta') or {}
    if 'architecture' in meta:
        return genotype_from_dict(meta['architecture'], f'{path}: meta.architecture')
    spec = _of_config(saved, path)
    return resolve_genotype(spec) if isinstance(spec, dict) or spec in published_names() else None


def refuse_contradiction(saved: Mapping[str, Any], path: str | Path, genotype: Genotype, name: str,
                         sharing: bool = False) -> None:
    """Raises :class:`GenotypeError` if a checkpoint holds another architecture.

    Args:
        saved, path: as of :func:`stored_genotype`.
        genotype (Genotype): that of the network to build.
        name (str): of ``genotype`` in the error.
        sharing (bool): whether the network depends on ``sharing``.
    """
    stored = recorded_genotype(saved, path)
    difference = contradiction(genotype, stored, sharing) if stored is not None else None
    if difference is not None:
        raise GenotypeError(f'{name}: contradicts the architecture in {path}, of which its weights are: {difference}. '
                            'Leave it out, and the network is built as the checkpoint says')


def _of_config(saved: Mapping[str, Any], path: str | Path) -> Any:
    node = expression_at((saved.get('meta') or {}).get('cfg', ''), 'model', 'backbone', 'architecture')
    try:
        return None if node is None else plain_value(node)
    except ValueError as error:
        raise GenotypeError(f'{path}: meta.cfg: model.backbone.architecture: is no plain value: {error}') from error
