"""The processes of a distributed job: reads rank and size from the launcher, starts and leaves the process group."""
import datetime
import logging
import os
import subprocess
import sys
from collections.abc import Callable

import torch
from mmengine.config import Config
from torch.distributed.elastic.multiprocessing.errors import record

DEFAULT_TIMEOUT = 1800  # seconds
DEFAULT_PORT = '29500'  # as in torch.distributed and mmengine

# environment variables that a launcher sets: torch's name -> the launcher's name
RANKS = dict(
    pytorch=dict(RANK='RANK', WORLD_SIZE='WORLD_SIZE'),
    slurm=dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS'),
    mpi=dict(RANK='OMPI_COMM_WORLD_RANK', WORLD_SIZE='OMPI_COMM_WORLD_SIZE'))
ADDRESSES = dict(pytorch=('MASTER_ADDR', 'MASTER_PORT'), slurm=('SLURM_NODELIST', ), mpi=('MASTER_ADDR', ))
STARTED_BY = dict(pytorch='torchrun, as tools/dist_train.sh does', slurm='srun, as tools/slurm_train.sh does',
                  mpi='mpirun -x MASTER_ADDR=<host of rank 0>')


def job_rank(launcher: str) -> int:
    """Rank of this process, even before the group exists; 0 without a launcher."""
    return 0 if launcher == 'none' else _ranks(launcher)['RANK']


def start_group(cfg: Config) -> None:
    """Checks the launcher's environment and the timeout; without a GPU, starts the group over gloo.

    With GPUs mmengine's Runner starts the group. It would set a CUDA device,
    which fails on a machine without a GPU.

    Args:
        cfg (Config): ``launcher`` and ``env_cfg.dist_cfg``; ``timeout`` is set
            there if it is missing.

    Raises:
        SystemExit: names the environment variable or the field that is missing or wrong.
    """
    if cfg.launcher == 'none' or torch.distributed.is_initialized():
        return
    options = cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})
    timeout = options.setdefault('timeout', DEFAULT_TIMEOUT)
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or timeout <= 0:
        raise SystemExit(f'env_cfg.dist_cfg.timeout={timeout!r} must be a positive number of seconds')
    ranks = _ranks(cfg.launcher)
    for name in ADDRESSES[cfg.launcher]:
        _variable(cfg.launcher, name)
    if 'MASTER_ADDR' not in os.environ:  # mmengine reads it, too
        os.environ['MASTER_ADDR'] = _first_host(os.environ['SLURM_NODELIST'])
    if torch.cuda.is_available():
        return
    os.environ.update({name: str(value) for name, value in ranks.items()})
    if 'port' in options:  # mmengine's option for slurm
        os.environ['MASTER_PORT'] = str(options['port'])
    os.environ.setdefault('MASTER_PORT', DEFAULT_PORT)
    torch.distributed.init_process_group('gloo', timeout=datetime.timedelta(seconds=timeout))


def leave_group() -> None:
    """Leave the process group together: a rank that exits early aborts a rank that still communicates with it."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def run_as_program(main: Callable[[], object]) -> None:
    """Run a tool's ``main``, and end the process.

    torchrun reports the error of the process that failed first. In a job of
    several processes, success skips Python's clean-up, in which threads left
    over from the group may abort the process.
    """
    record(main)()
    if int(os.environ.get('WORLD_SIZE', '1')) > 1:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _ranks(launcher):
    """RANK and WORLD_SIZE from the launcher's variables."""
    values, variables = {}, RANKS[launcher]
    for name, variable in variables.items():
        text = _variable(launcher, variable)
        if not text.isdecimal():
            raise SystemExit(f'--launcher {launcher}: the environment variable {variable}={text!r} must be a whole '
                             'number')
        values[name] = int(text)
    if values['RANK'] >= values['WORLD_SIZE']:
        raise SystemExit(f'--launcher {launcher}: {variables["RANK"]}={values["RANK"]} must be less than '
                         f'{variables["WORLD_SIZE"]}={values["WORLD_SIZE"]}')
    return values


def _variable(launcher, name):
    if not os.environ.get(name):
        raise SystemExit(f'--launcher {launcher}: the environment variable {name} is not set; start the processes with '
                         f'{STARTED_BY[launcher]}')
    return os.environ[name]


def _first_host(nodes):
    """The first host of a slurm node list such as ``gpu[03-05,9]``."""
    try:
        done = subprocess.run(['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True)
        return done.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        if not set('[,') & set(nodes):
            return nodes
        raise SystemExit(f'--launcher slurm: scontrol does not tell the first host of SLURM_NODELIST={nodes!r} '
                         f'({error}); set MASTER_ADDR to it') from error
