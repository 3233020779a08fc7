#!/usr/bin/env bash
# The main job, from nothing: installs, trains RegNetX32 on handwritten digits that come
# with scikit-learn, evaluates, saves, and predicts three digits. No download besides
# the packages. The run's folder can be given as the argument.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

ensure_environment train
python=$environment/bin/python
run=${1:-$root/runs/quickstart}

# Without the lines that TensorFlow prints at every start, whatever its log level.
program() {
    "$python" "$root/scripts/$1" "${@:2}" \
        2> >(grep -v -E '^(WARNING: All log messages before absl|I0000 )' >&2)
}

say "training RegNetX32 on digits (goes on where it stood if it was interrupted)"
program train.py --model=RegNetX32 --dataset=digits \
    --run_dir="$run" --resume
say "evaluating"
program evaluate.py --model="$run"
say "predicting three held-out digits"
program predict.py --model="$run" --from_validation=3 --top=3

cat <<END

Everything is in $run:
  model.keras         for keras.saving.load_model, after import keras_regnet
  saved_model/        for TensorFlow Serving and tf.saved_model.load
  report.html         everything about the run, for a browser
  learning_curve.png  confusion_matrix.png  log.csv  metrics.jsonl  tensorboard/
  config.json         how it was made;  result.json: how good it is
Next: $environment/bin/python scripts/train.py --help
END
