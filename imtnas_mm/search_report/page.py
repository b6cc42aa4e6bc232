"""The HTML page of a search: one file without scripts, fonts and links to other files, for screens of any width."""
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..importance import multiple
from .charts import Curve, inline_svg, is_steep, line_chart, small_chart, with_prefix
from .choices import SharpeningChoice, sharpening_choices
from .panels import EPOCH, ITERATION, MOST_POINTS, Panel, Section, sections_of
from .work_dir import SearchFolder

Cell = str | float | None  # of a table

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
"""
SHARPENED = ('A line per option: its weight over the iterations, as a multiple of the weight that it has if all are '
             'equal (dotted). All charts have the same range. Below: the option of the largest weight at the end, and '
             'that multiple.')
NO_HISTORY = ('The work dir has no history of the choices: the search ran without HistoryHook, or its method weighs no '
              'options.')


class Page:
    """Collects the parts of a page, with identifiers that differ between its charts.

    Args:
        title (str): of the page.
    """

    def __init__(self, title: str) -> None:
        style = Path(__file__).with_name('page.css').read_text(encoding='utf-8')
        self.parts = [HEAD.format(title=escape(title), style=style), '<body>', f'<h1>{escape(title)}</h1>']
        self.charts = 0

    def add(self, *parts: str) -> None:
        self.parts += parts

    def svg(self, text: str) -> str:
        """A chart of the page."""
        self.charts += 1
        return with_prefix(text, f'c{self.charts}-')

    def text(self) -> str:
        """The whole page."""
        return '\n'.join([*self.parts, '</body>', '</html>', ''])


def page_of(search: SearchFolder) -> str:
    """The text of the page of a search."""
    page, sections = Page(title_of(search)), sections_of(search)
    page.add('<dl class="facts">', *(f'<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>'
                                     for name, value in facts_of(search).items()), '</dl>')
    names = ['Architecture', *(section.name for section in sections), 'Config']
    if search.complaints:
        names.insert(0, 'Warnings')
    page.add('<nav>', *(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in names), '</nav>')
    if search.complaints:
        add_complaints(page, search)
    add_architecture(page, search)
    for section in sections:
        add_section(page, section, search)
    page.add(_heading('Config'), '<details><summary>the config of the latest run</summary>',
             f'<pre>{escape(search.config)}</pre>', '</details>')
    return page.text()


def title_of(search: SearchFolder) -> str:
    """The config's name, or else that of the work dir."""
    source = (search.genotype.source if search.genotype else None) or {}
    return f'Search: {source.get("config") or search.folder.resolve().name}'


def facts_of(search: SearchFolder) -> dict[str, Any]:
    """The facts at the top of the page, as far as config and log have them."""
    last = search.training[-1] if search.training else {}
    total = search.setting('train_cfg', 'max_epochs')
    order = search.setting('train_cfg', 'order') or search.setting('model', 'order')
    epoch = last.get('epoch')
    facts = {
        'method': search.setting('model', 'type'),
        'search space': search.setting('model', 'search_space', 'type'),
        'tasks of a round': ', '.join(order) if order else None,
        'rounds': search.setting('train_cfg', 'rounds'),
        'seed': search.setting('randomness', 'seed'),
        'epoch': None if epoch is None else f'{epoch} of {total}' if total else epoch,
        'iteration': last.get('iter'),
    }
    return {name: value for name, value in facts.items() if value is not None}


def add_complaints(page: Page, search: SearchFolder) -> None:
    """The warnings and errors of the log, each text once."""
    page.add(_heading('Warnings'), '<ol class="complaints">')
    for level, time, text, count in search.complaints:
        times = f', {count} times' if count > 1 else ''
        page.add(f'<li><span>{escape(time)} {escape(level)}{times}</span>\n{escape(text)}</li>')
    page.add('</ol>')


def add_architecture(page: Page, search: SearchFolder) -> None:
    """The drawn architecture, the log's lines on it, and the charts of its choices."""
    page.add(_heading('Architecture'))
    for name, label in (('architecture', 'the architecture'), ('architecture_sharing', 'what the tasks share')):
        picture = search.picture(name)
        if picture is not None:
            page.add(f'<figure class="picture">{page.svg(inline_svg(picture, label))}</figure>')
    page.add(*(f'<p class="said">{escape(text)}</p>' for text in search.said))
    if not search.said and search.genotype is not None:
        page.add(f'<p class="said">{escape(search.genotype.summary())}</p>')
    choices = sharpening_choices(search)
    if not choices:
        page.add(f'<p class="note">{NO_HISTORY}</p>')
        return
    page.add('<h3>How the choices sharpened</h3>', f'<p class="note">{SHARPENED}</p>',
             legend({curve.name: curve for choice in choices for curve in choice.curves}.values()),
             '<div class="choices">')
    ranges = {sums: _range(choice for choice in choices if choice.sums == sums) for sums in (True, False)}
    for choice in choices:
        level = 1. if choice.sums else None
        chart = small_chart(choice.relative, f'weights of {choice.name}', ranges[choice.sums], level)
        weight = choice.last[choice.best]
        best = f'{choice.best} {multiple(weight, len(choice.curves)) if choice.sums else _number(weight)}'
        page.add(f'<figure class="choice"><figcaption><b>{escape(choice.name)}</b></figcaption>{page.svg(chart)}'
                 f'<span>{escape(best)}</span></figure>')
    page.add('</div>', _details('the last weights', choices_table(choices)))


def _range(choices: Iterable[SharpeningChoice]) -> tuple[float, float]:
    """The limits of the y axes of some choices, with a margin."""
    weights = [y for choice in choices for curve in choice.relative for _, y in curve.points]
    margin = .05 * (max(weights, default=1.) - min(weights, default=0.)) or .01
    return min(weights, default=0.) - margin, max(weights, default=1.) + margin


def choices_table(choices: Sequence[SharpeningChoice]) -> str:
    """The last weight of each option of each choice."""
    options = list(dict.fromkeys(option for choice in choices for option in choice.last))
    return table_html(['choice', *options], [[choice.name, *(choice.last.get(option) for option in options)]
                                         for choice in choices])


def add_section(page: Page, section: Section, search: SearchFolder) -> None:
    """A section with its panels side by side, as many as the screen has room for."""
    page.add(_heading(section.name), '<div class="panels">')
    last = {ITERATION: max((line['iter'] for line in search.training), default=0),
            EPOCH: max(search.validations, default=0)}
    page.add(*(panel_html(page, panel, last[panel.x]) for panel in section.panels), '</div>')


def panel_html(page: Page, panel: Panel, last: int) -> str:
    """A chart with title, legend, note and numbers."""
    chart = line_chart(panel.curves, panel.title, f'{panel.x}s', range_of_x=(0, last))
    notes = [panel.note, 'Logarithmic axis.' if is_steep(panel.curves) else '',
             f'Some {MOST_POINTS} of all points.' if any(len(c.points) >= MOST_POINTS for c in panel.curves) else '']
    note = ' '.join(filter(None, notes))
    return (f'<figure class="panel"><figcaption><b>{escape(panel.title)}</b>'
            + (f'<span class="note">{escape(note)}</span>' if note else '') + '</figcaption>'
            + (legend(panel.curves) if len(panel.curves) > 1 else '') + page.svg(chart)
            + _details('numbers', numbers_table(panel)) + '</figure>')


def numbers_table(panel: Panel) -> str:
    """The numbers of a panel, as the log has them."""
    columns = [dict(curve.points) for curve in panel.curves]
    places = sorted({x for column in columns for x in column})
    return table_html([panel.x, *(curve.name for curve in panel.curves)],
                  [[x, *(column.get(x) for column in columns)] for x in places])


def legend(curves: Iterable[Curve]) -> str:
    """The names of curves beside their colours."""
    items = ''.join(f'<li><i{" class=dashed" if curve.broken else ""} style="border-color:{curve.hue}"></i>'
                    f'{escape(curve.name)}</li>' for curve in curves)
    return f'<ul class="legend">{items}</ul>'


def _heading(name: str) -> str:
    return f'<h2 id="{_anchor(name)}">{escape(name)}</h2>'


def _anchor(name: str) -> str:
    return name.lower().replace(' ', '-')


def _number(value: Cell) -> str:
    return '' if value is None else value if isinstance(value, str) else json.dumps(value)


def _details(summary: str, content: str) -> str:
    return f'<details><summary>{summary}</summary><div class="scroll">{content}</div></details>'


def table_html(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table of texts and numbers; None leaves a cell empty."""
    top = ''.join(f'<th>{escape(cell)}</th>' for cell in head)
    body = ''.join('<tr>' + ''.join(f'<td>{escape(_number(cell))}</td>' for cell in row) + '</tr>' for row in rows)
    return f'<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
