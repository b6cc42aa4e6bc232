"""The commands of an installed imtnas_mm: ``imtnas-train`` runs tools/train.py, and so on."""
import runpy
import sys

from .shipped import shipped_folder


def run_tool(name: str) -> None:
    """Run a file of tools/ as a program, with the arguments of this process."""
    path = str(shipped_folder('tools') / f'{name}.py')
    sys.argv[0] = path
    runpy.run_path(path, run_name='__main__')


def configs() -> None:
    """Print the folder of the configs that are installed with the package."""
    print(shipped_folder('configs'))


def train() -> None:
    run_tool('train')


def test() -> None:
    run_tool('test')


def derive() -> None:
    run_tool('derive')


def draw() -> None:
    run_tool('draw')


def export() -> None:
    run_tool('export')


def compare() -> None:
    run_tool('compare')


def report() -> None:
    run_tool('report')


def report_search() -> None:
    run_tool('report_search')


def lookup() -> None:
    run_tool('lookup')


def check_data() -> None:
    run_tool('check_data')


def measure_latency() -> None:
    run_tool('measure_latency')


def mm() -> None:
    run_tool('mm')


def make_demo_data() -> None:
    run_tool('make_demo_data')
