"""Pages of the site that no file of docs/ holds: README, change log, contributing, and a page of code per folder.

mkdocs calls :func:`on_files` before it reads the pages (``hooks`` of mkdocs.yml).
"""
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = {'README.md': 'index.md', 'CONTRIBUTING.md': 'contributing.md', 'CHANGELOG.md': 'changelog.md'}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Names the pages of code in the navigation."""
    entry = next(item for item in config.nav if 'Code' in item)
    entry['Code'] = list(code_pages())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    texts = {page: moved_links((ROOT / name).read_text(encoding='utf-8')) for name, page in PAGES.items()}
    for page, text in {**texts, **code_pages()}.items():
        files.append(File.generated(config, page, content=text))
    return files


def moved_links(text: str) -> str:
    """Links of a file of the top folder, as they are from docs/."""
    text = re.sub(r'\]\(docs/', '](', text)
    for name, page in PAGES.items():
        text = text.replace(f']({name}', f']({page}')
    return text


def code_pages() -> dict[str, str]:
    """Path of a page -> Markdown of it: the modules of one folder of imtnas_mm, each by its docstrings."""
    modules: dict[str, list[str]] = {}
    for path in sorted((ROOT / 'imtnas_mm').rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        if parts[-1] == '__init__':
            if path.read_text(encoding='utf-8').startswith('"""'):
                modules.setdefault('.'.join(parts[:-1]), []).insert(0, '.'.join(parts[:-1]))
        else:
            modules.setdefault('.'.join(parts[:-1]), []).append('.'.join(parts))
    return {f'code/{folder}.md': page_of(folder, names) for folder, names in modules.items()}


def page_of(folder: str, names: list[str]) -> str:
    lines = [f'# {folder}']
    for name in names:
        # of a folder its own docstring alone: what it imports is shown where it is defined
        lines += ['', f'::: {name}'] + (['    options:', '      members: false'] if name == folder else [])
    return '\n'.join(lines) + '\n'
