"""A small experiment, and stand-ins of the tools that at once write the files which a comparison reads."""
import json
import signal
from dataclasses import replace
from pathlib import Path

from imtnas_mm.architecture_history import LOOKUPS
from imtnas_mm.genotype import published_genotype, resolve_genotype, save_genotype

from . import tiny_run as tiny
from .records import comparable

SEARCH = str(tiny.ROOT / 'configs' / 'imtnas_cifar_pcdarts_small.py')
RETRAIN = str(tiny.ROOT / 'configs' / 'retrain' / 'small_cells_cifar10.py')
RETRAIN100 = str(tiny.ROOT / 'configs' / 'retrain' / 'small_cells_tiny100.py')
JOINT = str(tiny.ROOT / 'configs' / 'retrain' / 'small_joint_cells_cifar.py')
FIELDS = dict(
    seeds=[0, 1],
    evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32))),
    rows=[dict(name='a', search=SEARCH), dict(name='b', search=SEARCH, options={'model.transfer': None})],
    columns=[dict(name='error', evaluation='c10', metric='accuracy/top1', error=True)])
COMMON = '''
import atexit, json, os, re, signal, sys, time
from pathlib import Path
HERE = Path(__file__).parent
with open(HERE / 'calls.txt', 'a') as file:
    file.write(Path(sys.argv[0]).name + ' ' + Path(sys.argv[1]).name + '\\n')
def leave_trace(begin=time.monotonic()):
    told = {name: os.environ.get(name) for name in ('CUDA_VISIBLE_DEVICES', 'RANK', 'WORLD_SIZE')}
    with open(HERE / 'traces.txt', 'a') as file:
        file.write(json.dumps(dict(told, tool=Path(sys.argv[0]).name, config=str(Path(sys.argv[1]).resolve()),
                                   arguments=sys.argv[2:], begin=begin, end=time.monotonic())) + '\\n')
atexit.register(leave_trace)
if (HERE / 'slow').exists():
    time.sleep(float((HERE / 'slow').read_text()))
if os.environ.get('RANK', '0') != '0':
    sys.exit()
def option(name):
    return Path(sys.argv[sys.argv.index(name) + 1])
seed = int(re.search(r'randomness *= *dict\\(\\s*seed=(\\d+)', Path(sys.argv[1]).read_text())[1])
'''
TRAIN = COMMON + '''
folder = option('--work-dir')
if (HERE / 'fail').exists() and Path(sys.argv[1]).stem == (HERE / 'fail').read_text():
    sys.exit('out of luck')
if (HERE / 'wait').exists() and Path(sys.argv[1]).stem == (HERE / 'wait').read_text():
    def stop(*_):
        (folder / 'iter_1.pth').touch()
        (folder / 'last_checkpoint').write_text(str(folder / 'iter_1.pth'))
        sys.exit(143)
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, stop)
    (HERE / 'waiting').write_text(f'{os.getpid()} {os.getppid()}')
    time.sleep(100)
if (HERE / 'phases').exists() and folder.name == 'search':
    folder = folder / f'phase{(HERE / "phases").read_text()}'
(folder / 'time' / 'vis_data').mkdir(parents=True, exist_ok=True)
if folder.name.startswith('phase'):
    (folder / 'search.py').write_text(Path(sys.argv[1]).read_text())
(folder / 'time' / 'vis_data' / 'scalars.json').write_text(
    json.dumps(dict(iter=1, loss=2., step=1, memory=7)) + '\\n'
    + json.dumps(dict(epoch_time=2. + seed, epoch=1, iter=1, step=1)) + '\\n'
    + json.dumps({'c10/top1': 10 + seed, 'time': .1, 'step': 1}) + '\\n')
for file in (HERE / f'searched_{seed}').glob('*'):
    (folder / file.name).write_text(file.read_text())
(folder / 'epoch_1.pth').touch()
(folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))
'''
DERIVE = COMMON + '''
option('--out').write_text((HERE / 'found.json').read_text())
'''
TEST = COMMON + '''
folder = option('--work-dir') / 'time'
folder.mkdir(parents=True, exist_ok=True)
names = dict(joint=('c10/', 'c100/'), search=('r1.c10/', 'c10/')).get(Path(sys.argv[1]).stem, ('', ))
metrics = {f'{name}accuracy/top1': 50. + seed + i for i, name in enumerate(names)}
(folder / 'time.json').write_text(json.dumps(dict(metrics, time=.2)))
'''


def write_tools(folder, searched=None):
    """train.py, derive.py and test.py in a folder. ``wait`` and ``fail`` there name the config that does so; a training
    that waits leaves its process's number and its parent's in ``waiting``, and a checkpoint at a SIGTERM. ``slow`` has
    the seconds that each tool takes, ``phases`` the number of the last phase of searches. ``searched`` is what a search
    finds."""
    folder = Path(folder)
    folder.mkdir()
    save_genotype(searched or published_genotype('darts_v2'), folder / 'found.json')
    for name, text in dict(train=TRAIN, derive=DERIVE, test=TEST).items():
        (folder / f'{name}.py').write_text(text)
    return folder


def write_lookups(tools, seed, *strings):
    """What the search of a seed leaves beside its checkpoint: the history, and the last architecture of it."""
    folder = Path(tools) / f'searched_{seed}'
    folder.mkdir()
    lines = [dict(epoch=i, iteration=20 * i, architecture=string, entropy=1.5 - .25 * i, accuracies={})
             for i, string in enumerate(strings)]
    (folder / LOOKUPS).write_text(''.join(json.dumps(line) + '\n' for line in lines))
    genotype = resolve_genotype(strings[-1])
    source = dict(experiment='at_noon', epoch=len(strings) - 1, seed=seed)
    save_genotype(replace(genotype, source=source), folder / 'architecture.json')


def calls(folder):
    file = Path(folder) / 'calls.txt'
    return file.read_text().splitlines() if file.exists() else []


def traces(folder):
    """Per process of a tool, in the order of their ends: environment, tool, config, arguments, begin and end."""
    file = Path(folder) / 'traces.txt'
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def write(tmp_path, **fields):
    """A small experiment's file with other fields."""
    return tiny.write_config(tmp_path / 'experiment.py', None, **{**FIELDS, **fields})


def arguments(experiment, work_dir, tools, *args):
    return [str(arg) for arg in (experiment, '--work-dir', work_dir, '--tools', tools, *args)]


def compare(*args):
    """``main`` puts its own handlers of signals in place."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        tiny.tool('compare').main(arguments(*args))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def records(work_dir):
    return {path.parent.name: json.loads(path.read_text()) for path in work_dir.glob('runs/*/record.json')}


def same(work_dir, other):
    """Records without times, memory and the place of the runs."""
    first, second = ({name: comparable(record) for name, record in records(folder).items()}
                     for folder in (work_dir, other))
    return first == second
