#!/usr/bin/env bash
# Gives a `ramify` command all processors of a Slurm allocation, through a Dask cluster that lives as long as the job:
#
#     sbatch --nodes 4 --exclusive examples/slurm.sh ramify run plan.yaml
#     sbatch --nodes 4 --exclusive examples/slurm.sh ramify resume --last       # goes on after a time limit or a crash
#
# The folder that it is started in has to be one that all nodes see, and each node needs the same Python environment.
# The scheduler and the run are on the first node; each node has a worker process for each of its processors, so that a
# crash in a leaf costs that leaf and nothing else. Slurm keeps the limit of memory, and Dask none of its own. See
# docs/engines.md.
#
#SBATCH --job-name=ramify
#SBATCH --ntasks-per-node=1
set -euo pipefail

place=$PWD/dask-$SLURM_JOB_ID.json
threads=${SLURM_CPUS_ON_NODE:-1}

# A lost worker's leaf is tried again by the run, and by nobody else; what Dask only tells of is not written down.
export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0 DASK_LOGGING__DISTRIBUTED=${DASK_LOGGING__DISTRIBUTED:-warning}

dask scheduler --port 0 --no-dashboard --scheduler-file "$place" &
scheduler=$!
srun --ntasks-per-node=1 --cpus-per-task="$threads" --overlap \
    dask worker --no-dashboard --scheduler-file "$place" --nworkers "$threads" --nthreads 1 --memory-limit 0 &
workers=$!
end() {
    scancel --signal=TERM "$SLURM_JOB_ID.0" || true  # the step of the workers
    timeout 20 tail --pid="$workers" -f /dev/null || true
    kill "$workers" "$scheduler" 2>/dev/null || true
    rm -f "$place"
}
trap end EXIT

# A fifth more leaves than processors are under way, so that one that ends a leaf finds the next.
export RAMIFY_ENGINE="dask:$place" RAMIFY_JOBS=${RAMIFY_JOBS:-$((SLURM_JOB_NUM_NODES * threads * 6 / 5))}
case "${1-} ${2-}" in
    "ramify resume") set -- "$@" --engine "$RAMIFY_ENGINE" --jobs "$RAMIFY_JOBS" ;;  # else as in the job before
esac
"$@"
