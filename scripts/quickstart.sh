#!/usr/bin/env bash
# The main job, from nothing: installs, trains RegNetX32 on handwritten digits that come
# with scikit-learn, evaluates, saves, and predicts three digits. No download besides
# the packages. The run's folder can be given as the argument.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

ensure_environment train
python=$environment/bin/python
run=${1:-$root/runs/quickstart}
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}

say "training RegNetX32 on digits (goes on where it stood if it was interrupted)"
"$python" "$root/scripts/train.py" --model=RegNetX32 --dataset=digits \
    --run_dir="$run" --resume
say "evaluating"
"$python" "$root/scripts/evaluate.py" --model="$run"
say "predicting three held-out digits"
"$python" "$root/scripts/predict.py" --model="$run" --from_validation=3

cat <<END

Everything is in $run:
  model.keras         for keras.saving.load_model, after import keras_regnet
  saved_model/        for TensorFlow Serving and tf.saved_model.load
  learning_curve.png  confusion_matrix.png  log.csv  tensorboard/
  config.json         how it was made;  result.json: how good it is
Next: $environment/bin/python scripts/train.py --help
END
