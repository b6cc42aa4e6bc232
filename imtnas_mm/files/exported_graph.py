"""Reads the config, architecture and class names in the file of an exported graph, ``.onnx`` or ``.pt2``."""
import json
import zipfile
from pathlib import Path
from typing import Any

from .safetensors_format import meta_of

SUFFIXES = ('.onnx', '.pt2')
EXTRA = 'imtnas_mm.json'  # the file inside a .pt2 with the content of an .onnx file's metadata


def is_graph(path: str | Path) -> bool:
    """Whether a path is that of a graph."""
    return Path(path).suffix in SUFFIXES


def onnx_session(path: str | Path) -> Any:
    """onnxruntime.InferenceSession: of a file, on the CPU.

    Raises:
        RuntimeError: onnxruntime is not installed, or can't read the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeError(f'{path}: onnxruntime, which runs it, is not installed: pip install -r '
                           'requirements-onnx.txt') from error
    try:
        return onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    except Exception as error:  # its own exceptions have no common class
        raise RuntimeError(f'{path}: is no ONNX file that onnxruntime can run: {error}') from error


def read_graph_meta(path: str | Path) -> dict[str, Any]:
    """dict: ``meta`` of the checkpoint that was exported, and an empty ``state_dict``: the graph has the weights.

    Raises:
        OSError: the file can't be read.
        RuntimeError: it is not whole, or a field has another format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} can not be found.')
    metadata = onnx_session(path).get_modelmeta().custom_metadata_map if path.suffix == '.onnx' else _extra(path)
    return dict(meta=meta_of(path, metadata)[0], state_dict={})


def _extra(path: Path) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((name for name in archive.namelist() if name.endswith(f'/extra/{EXTRA}')), None)
            metadata = {} if name is None else json.loads(archive.read(name))
    except (zipfile.BadZipFile, ValueError) as error:
        raise RuntimeError(f'{path}: not a whole .pt2 file: {error}') from error
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise RuntimeError(f'{path}: extra/{EXTRA}: it must be an object of strings')
    return metadata
