"""Training, written against Keras 3's own API, in the order of the flow.

- `data/`: from what the world ships to prepared image sets (`readers/`, `checks/`).
- `recipes/`: the documented classifiers, each a `Recipe` with its `TrainingSettings`; `config` reads both from a file.
- `networks/`: the network that is trained, saved and exported.
- `parameter_budget`: the widest of them within a number of parameters.
- `devices/`: where it is computed.
- `train`: a run: `network_training` for the model and each of its `folds`, on `stage_data` (of the `features` of a
  frozen base, in `batches`), `fit` stage by `stage`, `history`.
- `automatic/`, `search/`: without a recipe, which network is trained; under the limits of a device, which one.
- `teacher`, `distillation`: what a network learns from a larger one beside the labels.
- `resuming/`: how a stopped run goes on.
- `evaluation/`, `figures/`, `explain/`: what the trained network knows.
"""

import os

# TensorFlow prints a screenful about its build before the first line of ours. It reads this when it is imported,
# so it must be set before any module of this package imports Keras.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
