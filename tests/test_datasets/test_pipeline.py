"""Image files of every kind come out as 8-bit BGR, or are refused by name."""
import io
import struct

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from PIL import Image

from imtnas_mm.datasets import DataError, NamedPipeline, name_failures

ROWS, COLUMNS = np.mgrid[0:48, 0:64].astype(float)
RGB = np.stack([ROWS * 5, COLUMNS * 4, 255 - ROWS * 5], -1).clip(0, 255).astype(np.uint8)
PICTURE = Image.fromarray(RGB)
GREY = PICTURE.convert('L')
ALPHA = Image.fromarray((COLUMNS * 4).astype(np.uint8))
PALETTE = PICTURE.convert('P', palette=Image.Palette.ADAPTIVE)


def load(path, content, stated=None, **options):
    path.write_bytes(content)
    data = dict(img_path=str(path), **dict(zip(('height', 'width'), stated or (), strict=False)))
    return NamedPipeline([LoadImageFromFile(**options)])(data)['img']


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(image):
    image = image.copy()
    image.putalpha(ALPHA)
    return image


def by_opencv(ending, array):
    return cv2.imencode(ending, array)[1].tobytes()


def cmyk_jpeg(adobe):
    """Stored inverted, as Adobe and PIL do, with Adobe's marker or without."""
    content = encoded(PICTURE.convert('CMYK'), 'JPEG', quality=95)
    start = content.find(b'\xff\xee')
    assert content[start + 4:start + 9] == b'Adobe'
    length, = struct.unpack('>H', content[start + 2:start + 4])
    return content if adobe else content[:start] + content[start + 2 + length:]


def three(grey):
    return np.stack([np.asarray(grey)] * 3, -1)


WIDE = RGB.astype(np.uint16) * 256 + 200  # 16 bits per channel
KINDS = {
    'rgb.png': (encoded(PICTURE, 'PNG'), RGB, 0),
    'rgb.jpg': (encoded(PICTURE, 'JPEG', quality=95), RGB, 20),
    'progressive.jpg': (encoded(PICTURE, 'JPEG', quality=95, progressive=True), RGB, 20),
    'grey.png': (encoded(GREY, 'PNG'), three(GREY), 0),
    'grey.jpg': (encoded(GREY, 'JPEG', quality=95), three(GREY), 20),
    'two_levels.png': (encoded(GREY.point(lambda v: 255 * (v > 99), '1'), 'PNG'),
                       three(255 * (np.asarray(GREY) > 99)), 0),
    'grey_alpha.png': (encoded(with_alpha(GREY), 'PNG'), three(GREY), 0),
    'rgba.png': (encoded(with_alpha(PICTURE), 'PNG'), RGB, 0),
    'palette.png': (encoded(PALETTE, 'PNG'), np.asarray(PALETTE.convert('RGB')), 0),
    'palette_transparent.png': (encoded(PALETTE, 'PNG', transparency=3), np.asarray(PALETTE.convert('RGB')), 0),
    'rgb16.png': (by_opencv('.png', WIDE[..., ::-1]), RGB, 0),
    'grey16.png': (by_opencv('.png', WIDE[..., 0]), three(RGB[..., 0]), 0),
    'rgb16.tif': (by_opencv('.tif', WIDE[..., ::-1]), RGB, 1),
    'rgb.tif': (encoded(PICTURE, 'TIFF'), RGB, 0),
    'rgb.bmp': (encoded(PICTURE, 'BMP'), RGB, 0),
    'cmyk.jpg': (cmyk_jpeg(True), RGB, 20),
    'cmyk_without_marker.jpg': (cmyk_jpeg(False), RGB, 20),
}


@pytest.mark.parametrize('name', KINDS)
def test_kind(tmp_path, name):
    content, truth, tolerance = KINDS[name]
    image = load(tmp_path / name, content)
    assert image.dtype == np.uint8 and image.shape == (48, 64, 3)
    difference = np.abs(image[..., ::-1].astype(int) - truth)
    assert difference.max() <= tolerance and difference.mean() < 2


TURNS = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.transpose(1, 0, 2),
         6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: np.rot90}


@pytest.mark.parametrize('tag', TURNS)
def test_exif_orientation(tmp_path, tag):
    exif = Image.Exif()
    exif[0x112] = tag
    content = encoded(PICTURE, 'PNG', exif=exif)
    np.testing.assert_array_equal(load(tmp_path / 'turned.png', content)[..., ::-1], TURNS[tag](RGB))
    as_stored = load(tmp_path / 'turned.png', content, color_type='color_ignore_orientation')
    np.testing.assert_array_equal(as_stored[..., ::-1], RGB)


def test_the_size_that_the_annotation_file_states(tmp_path):
    """Its boxes are those of an image of that size."""
    exif = Image.Exif()
    exif[0x112] = 6
    turned = encoded(PICTURE, 'JPEG', exif=exif)
    path = tmp_path / 'turned.jpg'
    assert load(path, turned, (64, 48)).shape == (64, 48, 3)
    with pytest.raises(DataError, match=rf'^{path}: has height and width \(64, 48\), but \(48, 64\) in the annotation '
                       ".*color_type='color_ignore_orientation'"):
        load(path, turned, (48, 64))
    assert load(path, turned, (48, 64), color_type='color_ignore_orientation').shape == (48, 64, 3)
    with pytest.raises(DataError, match=r'\(48, 64\), but \(48, 65\) in the annotation file.*lie elsewhere$'):
        load(path, encoded(PICTURE, 'PNG'), (48, 65))


@pytest.mark.parametrize('name, content, options, message', [
    ('floats.tif', by_opencv('.tif', (RGB / 255).astype(np.float32)), {}, 'holds float32 that are not read as 8 bits'),
    ('long.tif', encoded(Image.fromarray(RGB[..., 0].astype(np.int32)), 'TIFF'), {}, 'failed to load image'),
    ('grey16.png', by_opencv('.png', WIDE[..., 0]), dict(imdecode_backend='pillow'), 'has 16 bits per channel, which'),
    ('empty.jpg', b'', {}, 'LoadImageFromFile failed: '),
    ('text.jpg', b'hello', {}, 'LoadImageFromFile failed: '),
    *((f'cut.{kind.lower()}', encoded(PICTURE, kind, **more)[:-cut], {}, 'LoadImageFromFile failed: ')
      for kind, more in (('JPEG', {}), ('JPEG', dict(progressive=True)), ('PNG', {}), ('BMP', {}), ('TIFF', {}))
      for cut in (1, 20, 500)),
    ('cut.png', encoded(PICTURE, 'PNG')[:-500], dict(imdecode_backend='pillow'), 'LoadImageFromFile failed: '),
])
def test_refused_by_name(tmp_path, name, content, options, message):
    path = tmp_path / name
    with pytest.raises(DataError, match=rf'^{path}: .*{message}'):
        load(path, content, **options)


def test_a_missing_file():
    with pytest.raises(DataError, match='^none.jpg: LoadImageFromFile failed: FileNotFoundError'):
        NamedPipeline([LoadImageFromFile()])(dict(img_path='none.jpg'))


class Images(BaseDataset):

    def load_data_list(self):
        return [dict(img_path=f'photos/{i}.jpg') if self.ann_file else dict(img=i) for i in range(3)]


class Fail:

    def __call__(self, data):
        raise KeyError('gt_bboxes')


def images(**options):
    return Images(**dict(dict(ann_file='a', pipeline=[Fail()], serialize_data=False), **options))


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize('test_mode', [False, True])
def test_a_transform_that_fails_in_a_loader(num_workers, test_mode):
    dataset = images(test_mode=test_mode)
    name_failures(dataset, 'field')
    sampler = dict(type='DefaultSampler', shuffle=False)
    loader = Runner.build_dataloader(dict(dataset=dataset, batch_size=1, num_workers=num_workers, sampler=sampler))
    with pytest.raises(DataError, match="photos/0.jpg: Fail failed: KeyError: 'gt_bboxes'"):
        next(iter(loader))


def test_wrapped_datasets_and_those_without_files():
    for wrapped in (RepeatDataset(images(), 2), ConcatDataset([images(), images()])):
        name_failures(wrapped, 'field')
        with pytest.raises(DataError, match='photos/2.jpg: Fail failed'):
            wrapped[2]
    memory = images(ann_file='')
    name_failures(memory, 'field')
    with pytest.raises(DataError, match='^example 1 of Images: Fail failed'):
        memory[1]


def test_images_that_would_be_replaced_are_refused():
    dataset = images(pipeline=[LoadImageFromFile(ignore_empty=True)])
    with pytest.raises(DataError, match='^field.pipeline: LoadImageFromFile has ignore_empty=True'):
        name_failures(dataset, 'field')
