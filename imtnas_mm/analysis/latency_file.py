"""The file of a table of latencies: tools/measure_latency.py writes it, and ``model.cost`` of a search reads it."""
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import write_whole
from ..genotype import Place, check_object, is_finite, plain
from ..space_format import Candidate
from .cost_table import CostTable, Shape
from .latency import TimedNetwork

FORMAT, VERSION = 'imtnas_mm.latency', 1
FIELDS = ('format', 'version', 'measured', 'space', 'image', 'network', 'fixed', 'candidates', 'networks')
COSTS = ('milliseconds', 'macs')


def write_latency(path: str | Path, space: str, image: Shape, network: Mapping[str, Any], latencies: CostTable,
                  macs: CostTable, networks: Sequence[TimedNetwork], measured: Mapping[str, Any]) -> None:
    """Writes a table with its space, image size, network and device.

    Args:
        path (str): of the file.
        space (str): of the architectures.
        image (tuple[int]): (channels, height, width).
        network (dict): options of the derived network.
        latencies, macs (CostTable): of the space, for these images and this network. The MACs are there to be compared.
        networks (list[TimedNetwork]): whole networks, whose times show the error of the table.
        measured (dict): how and where, such as device and threads.

    Raises:
        OSError: names the file.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(dict(
        format=FORMAT, version=VERSION, measured=dict(measured), space=space, image=list(image[1:]),
        network=plain(dict(network)), fixed=dict(milliseconds=latencies.fixed, macs=macs.fixed),
        candidates=[dict(candidate=list(candidate), milliseconds=latency, macs=macs.candidates[candidate])
                    for candidate, latency in latencies.candidates.items()],
        networks=[dict(architecture=timed.architecture, milliseconds=timed.measured, table=timed.table,
                       error=timed.error) for timed in networks]), indent=1) + '\n')


def read_latency(path: str | Path, space: str, image: Shape, network: Mapping[str, Any], macs: CostTable) -> CostTable:
    """The latencies of a file, in milliseconds.

    Args:
        path (str): of the file.
        space, image, network, macs: of the search, as of :func:`write_latency`.

    Raises:
        GenotypeError: names the file, the field and its value: the file has
            another format, or was measured for another space, image or network.
    """
    root = Place(path)
    try:
        data = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        root.fail(str(error), 'it must be a file of tools/measure_latency.py')
    check_object(data, root, FIELDS)
    for field, right in (('format', FORMAT), ('version', VERSION), ('space', space), ('image', list(image[1:]))):
        if data[field] != right:
            root[field].fail(data[field], f'it must be {right!r}' + ', as in this search' * (field in (
                'space', 'image')))
    _check_network(data['network'], plain(dict(network)), root['network'])
    fixed = _check_costs(data['fixed'], root['fixed'], COSTS, macs.fixed, 'the network without its candidates')
    return CostTable(fixed, _candidates(data['candidates'], macs, root['candidates']))


def _check_network(options: Any, here: Mapping[str, Any], place: Place) -> None:
    if not isinstance(options, dict):
        place.fail(options, 'it must be an object, the options of the derived network')
    for name in sorted({*options, *here}):
        if name not in here:
            place[name].fail(options[name], 'this search does not set it; model.cost.network may')
        if name not in options or options[name] != here[name]:
            place[name].fail(options.get(name), f'it must be {here[name]!r}, as in this search (model.cost.network, '
                             'or the scale of model.search_space)')


def _candidates(entries: Any, macs: CostTable, place: Place) -> dict[Candidate, float]:
    if not isinstance(entries, list):
        place.fail(entries, 'it must be a list of candidates')
    latencies: dict[Candidate, float] = {}
    for i, entry in enumerate(entries):
        check_object(entry, place[i], ('candidate', *COSTS))
        names = entry['candidate']
        candidate = tuple(names) if isinstance(names, list) and all(isinstance(x, str | int) for x in names) else ()
        if candidate not in macs.candidates:
            place[i]['candidate'].fail(names, 'this search has no such candidate')
        if candidate in latencies:
            place[i]['candidate'].fail(names, 'it must be there once')
        latencies[candidate] = _check_costs(entry, place[i], ('candidate', *COSTS), macs.candidates[candidate],
                                            f'{list(candidate)}')
        if latencies[candidate] < 0:
            place[i]['milliseconds'].fail(entry['milliseconds'], 'it must be at least 0')
    missing = [candidate for candidate in macs.candidates if candidate not in latencies]
    if missing:
        place.fail(list(missing[0]), f'this candidate is missing, {len(missing)} in all; measure the table anew')
    return latencies


def _check_costs(entry: Any, place: Place, fields: tuple[str, ...], macs: float, of: str) -> float:
    """The milliseconds of an entry, whose MACs must be those of the search."""
    check_object(entry, place, fields)
    for field in COSTS:
        if not is_finite(entry[field]):
            place[field].fail(entry[field], 'it must be a finite number')
    if entry['macs'] != macs:
        place['macs'].fail(entry['macs'], f'it must be {macs:.0f}, those of {of} in this search; the table is of '
                           'another network')
    return float(entry['milliseconds'])
