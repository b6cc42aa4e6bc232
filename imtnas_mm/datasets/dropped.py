"""Reports the boxes and images that mmdet silently leaves out of a COCO annotation file, with counts and reasons.

The counts are exact: mmdet's dataset class itself parses and filters the file,
and its result is compared with the content. mmdet's rules are repeated here
only to name the reasons.
"""
from ..compat.datasets import coco_index, parse_from
from .checks import collection_paused, some

OTHER = 'by other rules of the dataset class'


@collection_paused()
def dropped_of_coco(kind, cfg, content):
    """Lines on boxes and images that a dataset of this config leaves out, or keeps but doesn't train on.

    Args:
        kind (type): CocoDataset or a subclass.
        cfg (dict): the dataset's config.
        content (dict): of the annotation file, checked
            (:func:`~imtnas_mm.datasets.checks.load_coco`). mmdet changes its
            entries.

    Returns:
        list[str]: one line per reason, with the number of boxes and images and
        the first annotation ids and file names.
    """
    left_out = ('type', '_scope_', 'pipeline', 'lazy_init')  # the registry reads the first two
    dataset = kind(**{key: value for key, value in cfg.items() if key not in left_out}, lazy_init=True)
    index = coco_index(kind, content)
    parsed = parse_from(dataset, index)
    return [*_boxes(dataset, parsed, index), *_images(dataset, parsed, index)]


def _boxes(dataset, parsed, index):
    dropped, crowds = {}, []
    for info in parsed:
        annotations = index.imgToAnns[info['img_id']] if info['img_id'] in index.imgToAnns else ()
        if any(instance['ignore_flag'] for instance in info['instances']):
            crowds.extend((a, info) for a in annotations if a.get('iscrowd') and _parsed_alone(dataset, a, index))
        if len(info['instances']) < len(annotations):
            for annotation in annotations:
                if not _parsed_alone(dataset, annotation, index):
                    reason = _why_box(annotation, info, dataset)
                    dropped.setdefault(reason, []).append((annotation, info))
    for reason, boxes in sorted(dropped.items()):
        yield f'{_count(boxes)} left out, {reason}: {_names(boxes, index)}'
    if crowds:
        yield f'{_count(crowds)} of iscrowd=1, not trained on: {_names(crowds, index)}'


def _parsed_alone(dataset, annotation, index):
    image = index.imgs[annotation['image_id']]
    return dataset.parse_data_info(dict(raw_img_info=image, raw_ann_info=[annotation]))['instances']


def _why_box(annotation, info, dataset):
    """The reason, by mmdet's rules in mmdet's order."""
    left, top, width, height = annotation['bbox']
    if annotation.get('ignore'):
        return "marked 'ignore'"
    if (min(left + width, info['width']) <= max(left, 0) or min(top + height, info['height']) <= max(top, 0)) \
            and min(width, height) > 0:
        return 'wholly outside the image'
    if width < 1 or height < 1 or annotation['area'] <= 0:
        return 'narrower than a pixel or of area 0'
    if annotation['category_id'] not in dataset.cat_ids:
        return 'of a category that is not in metainfo.classes'
    return OTHER


def _images(dataset, parsed, index):
    kept = {info['img_id'] for info in dataset.filter_data()}
    rules = {} if dataset.test_mode else dataset.filter_cfg or {}
    dropped = {}
    for info in parsed:
        if info['img_id'] not in kept:
            dropped.setdefault(_why_image(info, rules), []).append(info)
    for reason, infos in sorted(dropped.items()):
        yield f'{_many(len(infos), "image")} left out, {reason}: {_files(infos, index)}'
    empty = [info for info in parsed if info['img_id'] in kept and not info['instances']]
    if empty:
        yield f'{_many(len(empty), "image")} without a box kept, as background: {_files(empty, index)}'


def _why_image(info, rules):
    if min(info['width'], info['height']) < rules.get('min_size', 0):
        return f'smaller than filter_cfg.min_size={rules["min_size"]}'
    if rules.get('filter_empty_gt'):
        return 'without a box of the classes (filter_cfg.filter_empty_gt=True)'
    return OTHER


def _many(number, noun):
    return f'{number} {noun}{"" if number == 1 else "es" if noun == "box" else "s"}'


def _count(boxes):
    images = {info['img_id'] for _, info in boxes}
    return f'{_many(len(boxes), "box")} in {_many(len(images), "image")}'


def _names(boxes, index):
    images = {info['img_id']: info for _, info in boxes}
    return f'annotations {some([a["id"] for a, _ in boxes], 5)}, images {_files(images.values(), index)}'


def _files(infos, index):
    return some([index.imgs[info['img_id']]['file_name'] for info in infos], 5)
