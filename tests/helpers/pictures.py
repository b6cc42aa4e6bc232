"""Reads and checks the texts in pictures of architectures."""
import re
from xml.etree import ElementTree

SVG = '{http://www.w3.org/2000/svg}'


def texts(svg):
    return [''.join(node.itertext()).strip() for node in ElementTree.parse(svg).iter(f'{SVG}text')]


def bounds(path):
    points = [(float(x), float(y)) for x, y in re.findall(r'(-?[\d.]+) (-?[\d.]+)', path.get('d'))]
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def check_texts(figure):
    """No text overlaps another or leaves the picture."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    axes, = figure.axes
    shown = [*axes.texts, *(axes.get_legend().get_texts() if axes.get_legend() else ())]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown if text.get_text()]
    for i, (text, box) in enumerate(boxes):
        assert box.x0 > 0 and box.y0 > 0 and box.x1 < figure.bbox.x1 and box.y1 < figure.bbox.y1, text
        for other, another in boxes[i + 1:]:
            assert not box.overlaps(another), (text, other)
