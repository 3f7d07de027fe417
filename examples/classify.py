"""Classify the images named on the command line: the runtime embedded in a program of your own.

python examples/classify.py mnist_int8.tflite digit.png ...
"""

import sys

from edgecnn_runtime import Classifier

model, *images = sys.argv[1:]
classifier = Classifier.open(model)
for item in classifier.predict_many(images):
    if item.prediction is None:
        print(f"{item.source}: {item.error}")
    else:
        print(f"{item.source}: {item.prediction.label} ({item.prediction.probability:.1%})")
