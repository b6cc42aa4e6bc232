"""Test a search or a retrained network with the metrics of its config, such as COCO AP or top-1 accuracy."""
import argparse
from collections.abc import Sequence

from imtnas_mm.arguments import add_launch_arguments
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a search checkpoint or a retrained network')
    parser.add_argument('config', help='the config the checkpoint was made with')
    parser.add_argument('checkpoint', help='checkpoint or export: .pth, .safetensors, .onnx or .pt2')
    parser.add_argument('--work-dir', help='the dir to save the evaluation metrics')
    parser.add_argument('--out', help='dump predictions to this .pkl file, for offline evaluation')
    parser.add_argument('--show', action='store_true', help='show each image with its predictions in a window')
    parser.add_argument('--show-dir', help='save images with predictions painted on them here (under the work dir)')
    parser.add_argument('--wait-time', type=float, default=2, metavar='SECONDS', help='for which --show shows an image '
                        '(default: %(default)s)')
    parser.add_argument('--tta', action='store_true', help="merge the predictions of the image and its mirror image; "
                        "the config's tta_model and tta_pipeline, if it has them, say what else is merged")
    parser.add_argument('--architecture', help='the architecture of a retrained network, where the checkpoint does not '
                        'hold it: an architecture.json or a published name; sets model.backbone.architecture')
    add_launch_arguments(parser)
    args = parser.parse_args(argv)
    check_file(args.config, 'config')
    check_file(args.checkpoint, 'checkpoint')
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise SystemExit(f'--out {args.out}: the dump is a pickle; name a .pkl file')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.engine.launch.test import test
    test(args)


if __name__ == '__main__':
    parse_args()
    from imtnas_mm.engine.launch.process_group import run_as_program
    run_as_program(main)
