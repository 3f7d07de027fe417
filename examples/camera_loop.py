"""Say what a camera shows, as often as the model can; each answer is about the newest frame.

python examples/camera_loop.py mnist_int8.tflite 0          # or /dev/video0, rtsp://camera/live, a video file
"""

import sys

from edgecnn_runtime import Classifier, stream

model, source = sys.argv[1:]
classifier = Classifier.open(model)
try:
    for result in stream(classifier, int(source) if source.isdigit() else source):
        for event in result.events:  # unplugged, back again, frozen
            print(event.text, flush=True)
        if result.prediction is not None and result.age is not None:
            label, probability = result.prediction.label, result.prediction.probability
            print(f"{label} ({probability:.1%}), {1000 * result.age:.0f} ms old, {result.dropped} dropped", flush=True)
except KeyboardInterrupt:
    pass
