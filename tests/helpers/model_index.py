"""What the metafiles of configs/ say of each config."""
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
METAFILES = {name: yaml.safe_load((ROOT / name).read_text())
             for name in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']}
MODELS = [model for metafile in METAFILES.values() for model in metafile['Models']]
METADATA = {model['Config']: model['Metadata'] for model in MODELS}
DATA = {'data/imagenet': 'ImageNet-1k', 'data/cifar10': 'CIFAR-10', 'data/cifar100': 'CIFAR-100', 'data/coco': 'COCO'}


def check_metadata(path, cfg):
    """The metadata of a config are those of its metafile."""
    metadata = METADATA[str(path.relative_to(ROOT))]
    assert metadata['Epochs'] == cfg.train_cfg.max_epochs
    roots = {root.rstrip('/') for root in data_roots(cfg.train_dataloader)}
    assert set(metadata['Training Data']) == {DATA.get(root, root) for root in roots}


def data_roots(value):
    if isinstance(value, dict):
        yield from [value['data_root']] if 'data_root' in value else []
        value = list(value.values())
    for part in value if isinstance(value, list | tuple) else ():
        yield from data_roots(part)
