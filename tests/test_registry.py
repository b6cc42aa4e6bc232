import mmengine.registry
import pytest
from mmengine.registry import Registry

from imtnas_mm import registry

ROOTS = [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]


@pytest.mark.parametrize('root', ROOTS, ids=lambda root: root.name)
def test_every_registry_of_mmengine_has_a_child(root):
    """Without one, mmengine warns and looks names up in its own alone."""
    child = root._search_child(registry.SCOPE)
    assert child.parent is root and child.scope == 'imtnas_mm'
    assert child in vars(registry).values()


def test_our_parts_are_found_without_a_prefix_or_with_one():
    assert registry.LOOPS.get('InterleavedSearchLoop') is mmengine.registry.LOOPS.get('imtnas_mm.InterleavedSearchLoop')
    assert registry.MODELS.get('MBConvNet') is mmengine.registry.MODELS.get('imtnas_mm.MBConvNet')
    assert registry.HOOKS.get('CheckpointHook') is mmengine.registry.HOOKS.get('CheckpointHook')  # mmengine's
