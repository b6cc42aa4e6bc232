"""Tiny files in the layout of CIFAR-10 and CIFAR-100 with images that can be told apart."""
import hashlib
import pickle

import numpy as np

BATCHES = dict(
    cifar10=dict(folder='cifar-10-batches-py', train=[f'data_batch_{i}' for i in range(1, 6)], test=['test_batch']),
    cifar100=dict(folder='cifar-100-python', train=['train'], test=['test']))


def images_and_labels(number, classes, seed):
    """Noise whose brightness tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % classes
    images = rng.integers(0, 30, (number, 3, 32, 32)) + (labels * 220 // max(classes - 1, 1))[:, None, None, None]
    return images.astype(np.uint8), [int(label) for label in labels]


def write_cifar(root, kind='cifar10', number=20, classes=10, protocol=2):
    """Writes ``number`` images per file under ``root``; returns file name -> (images [N, 3, 32, 32], labels)."""
    layout, written = BATCHES[kind], {}
    (root / layout['folder']).mkdir(parents=True)
    for name in layout['train'] + layout['test']:
        images, labels = images_and_labels(number, classes, len(written))
        key = 'labels' if kind == 'cifar10' else 'fine_labels'
        entry = {'data': images.reshape(number, -1), key: labels, 'batch_label': name}
        if kind == 'cifar100':
            entry['coarse_labels'] = [0] * number
        (root / layout['folder'] / name).write_bytes(pickle.dumps(entry, protocol))
        written[name] = images, labels
    return written


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()
