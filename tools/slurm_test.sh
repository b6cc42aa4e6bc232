#!/usr/bin/env bash
# usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [flags of tools/test.py]
# GPUS (a process each), GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS as in mmdet. With GRES= (empty) on CPUs, over gloo.
set -e
if [ $# -lt 4 ]; then echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [flags of tools/test.py]" >&2; exit 2; fi
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
GRES=${GRES-gpu:$GPUS_PER_NODE}

# shellcheck disable=SC2086  # SRUN_ARGS holds several
srun -p "$1" \
    --job-name="$2" \
    ${GRES:+--gres="$GRES"} \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/test.py" \
    "$3" "$4" \
    --launcher slurm "${@:5}"
