"""Puts configs/, tools/ and model-index.yml into the wheel, in imtnas_mm/.mim, as mmdet does.

All else is in pyproject.toml.
"""
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CHECKOUT = ('setup.sh', 'demo.py', 'comparisons.py', 'evidence.py')  # tools that need the checkout


class BuildWithTools(build_py):
    """Builds the package, and copies them into it; an editable installation finds them in the checkout."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for name in ('configs', 'tools'):
            target = Path(self.build_lib) / 'imtnas_mm' / '.mim' / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns('__pycache__', *CHECKOUT))
        shutil.copy(ROOT / 'model-index.yml', target.parent)


setup(cmdclass=dict(build_py=BuildWithTools))
