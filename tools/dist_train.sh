#!/usr/bin/env bash
# usage: bash tools/dist_train.sh CONFIG GPUS [flags of tools/train.py]
# NNODES, NODE_RANK, MASTER_ADDR and PORT as in mmdet. Without a GPU the processes talk over gloo.
set -e
if [ $# -lt 2 ]; then echo "usage: bash tools/dist_train.sh CONFIG GPUS [flags of tools/train.py]" >&2; exit 2; fi
GPUS=$2

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$(dirname "$0")/train.py" \
    "$1" \
    --launcher pytorch "${@:3}"
