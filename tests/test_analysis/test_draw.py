import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from matplotlib.image import imread

from helpers.pictures import SVG, texts
from imtnas_mm.analysis.draw import draw_genotype
from imtnas_mm.genotype import Genotype, published_genotype
from imtnas_mm.spaces.mbconv.architecture import layer_label
from imtnas_mm.spaces.mbconv.layout import searched_layers


def mixed_genotype(space, importance=True):
    """Layer i takes choice i modulo their number, so every choice occurs."""
    layers = searched_layers(space)
    picks = [i % len(layer.choices) for i, layer in enumerate(layers)]
    rows = {}
    for i, (layer, pick) in enumerate(zip(layers, picks, strict=True)):
        row = torch.full((len(layer.choices), ), (.6 - .01 * i) / (len(layer.choices) - 1))
        row[pick] = .4 + .01 * i
        rows[layer.name] = row.tolist()
    choices = [layer.choices[pick] for layer, pick in zip(layers, picks, strict=True)]
    return Genotype(space, dict(layers=choices), importance=rows if importance else None)


@pytest.mark.parametrize('space', ['fairnas19', 'proxyless21'])
def test_picture_holds_every_layer_in_order(tmp_path, space):
    genotype = mixed_genotype(space)
    svg, png = draw_genotype(genotype, tmp_path / 'new' / 'architecture', title='a title')
    assert (svg, png) == (tmp_path / 'new' / 'architecture.svg', tmp_path / 'new' / 'architecture.png')
    written = texts(svg)
    assert [text for text in written if re.match('MBConv|identity', text)] == [
        layer_label(choice) for choice in genotype.architecture['layers']
    ]
    assert [text for text in written if re.match(r'×\d', text)] == [
        f'×{(.4 + .01 * i) * len(layer.choices):.2f}' for i, layer in enumerate(searched_layers(space))
    ]
    assert 'a title' in written and 'of uniform' in written and not any('dashed' in text for text in written)
    assert [text for text in written if text.endswith(' ch')] == [
        '32, 16 ch', f'{32 if space == "fairnas19" else 24} ch', '40 ch', '80 ch', '96 ch', '192 ch', '320 ch'
    ]
    assert [text for text in written if text.startswith('stride')] == [
        f'stride {s}' for s in (2, 4, 8, 16, 16, 32, 32)
    ]
    height, width = imread(png).shape[:2]
    assert width > 1500 and height > 400


def test_boxes_show_kernel_and_expansion(tmp_path):
    """Of the boxes with a fill: height grows with the kernel, colour is the expansion's."""
    svg, _ = draw_genotype(published_genotype('fairnas_a'), tmp_path / 'a')
    heights, colours = {}, {}
    boxes = [node for node in ElementTree.parse(svg).iter(f'{SVG}path') if 'fill: #' in node.get('style', '')]
    boxes = [node for node in boxes if 'Q' in node.get('d')][2:]  # the two fixed layers come first
    for node, choice in zip(boxes, published_genotype('fairnas_a').architecture['layers'], strict=True):
        y = [float(pair[1]) for pair in re.findall(r'(-?[\d.]+) (-?[\d.]+)', node.get('d'))]
        heights.setdefault(choice[7], set()).add(round(max(y) - min(y), 2))
        colours.setdefault(choice[-1], set()).add(re.search('fill: (#......)', node.get('style'))[1])
    assert all(len(values) == 1 for values in (*heights.values(), *colours.values()))
    assert max(heights['3']) < max(heights['5']) < max(heights['7'])
    assert colours['3'] != colours['6']


def test_without_importance(tmp_path):
    svg, _ = draw_genotype(mixed_genotype('fairnas19', importance=False), tmp_path / 'a')
    assert 'of uniform' not in texts(svg) and not any(re.match(r'×\d', text) for text in texts(svg))


def test_what_is_no_better_than_chance_does_not_look_like_a_choice(tmp_path):
    """1/6 and 1/7 are both uniform; a choice that leads by less than 1% is dashed."""
    sure = mixed_genotype('fairnas19')
    layers = searched_layers('fairnas19')
    assert {len(layer.choices) for layer in layers} == {6, 7}
    rows = {layer.name: [1.] * len(layer.choices) for layer in layers}
    for i, (layer, choice) in enumerate(zip(layers, sure.architecture['layers'], strict=True)):
        rows[layer.name][layer.choices.index(choice)] = 1.02 if i == 3 else 1.005
    rows = {name: [weight / sum(row) for weight in row] for name, row in rows.items()}
    svg, _ = draw_genotype(replace(sure, importance=rows), tmp_path / 'a')
    written = texts(svg)
    assert {text for text in written if re.match(r'×\d', text)} == {'×1.00', '×1.02'}
    assert 'dashed: leads the next option by less than 1%' in written

    def dashed(path):
        return path.read_text().count('stroke-dasharray')

    assert dashed(svg) == len(layers) - 1 and dashed(draw_genotype(sure, tmp_path / 'b')[0]) == 0


def test_scale_of_the_network_is_drawn(tmp_path):
    svg, _ = draw_genotype(published_genotype('fairnas_a'), tmp_path / 'a', width_mult=.5, stem_stride=1,
                           strides=(1, 2, 2, 1, 2, 1))
    assert [text for text in texts(svg) if text.endswith(' ch')] == [
        '16, 8 ch', '16 ch', '24 ch', '40 ch', '48 ch', '96 ch', '160 ch'
    ]
    assert [text for text in texts(svg) if text.startswith('stride')] == [f'stride {s}' for s in (1, 1, 2, 4, 4, 8, 8)]


def test_title_by_default_is_the_source(tmp_path):
    svg, _ = draw_genotype(published_genotype('fairnas_b'), tmp_path / 'b')
    assert 'FairNAS-19' in texts(svg) and 'fairnas_b' in texts(svg)
    actual = replace(published_genotype('fairnas_b'), source=dict(config='search.py', iteration=7))
    svg, _ = draw_genotype(actual, tmp_path / 'b')
    assert 'search.py, iteration 7' in texts(svg)


def test_same_architecture_gives_the_same_files(tmp_path):
    first = [path.read_bytes() for path in draw_genotype(published_genotype('fairnas_a'), tmp_path / 'a')]
    assert [path.read_bytes() for path in draw_genotype(published_genotype('fairnas_a'), tmp_path / 'b')] == first


def test_stem_with_dots_is_kept(tmp_path):
    svg, png = draw_genotype(published_genotype('fairnas_a'), tmp_path / 'epoch_1.5')
    assert svg.name == 'epoch_1.5.svg' and png.name == 'epoch_1.5.png' and png.exists()


def test_unknown_space(tmp_path):
    with pytest.raises(ValueError, match="space='nasnet' is not registered; known spaces are .*fairnas19, "):
        draw_genotype(Genotype('nasnet', {}), tmp_path / 'a')
