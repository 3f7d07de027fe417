"""Push parts of one class off a belt: a camera, a classifier, and a gate on a GPIO pin.

python examples/line_sorter.py casting_int8.tflite 0 --reject def_front --pin 17

So that one odd frame opens no gate, the class must win `--min-count` of the last `--window` frames, each with a
probability of at least `--threshold`. The gate is closed when the program starts and ends, and while nothing is known:
between two parts, and while the camera is gone. Pins are those of gpiozero (`pip install gpiozero lgpio`), which knows
the Raspberry Pi and others; GPIOZERO_PIN_FACTORY=mock tries it on any machine.
"""

import argparse
import signal
import sys

from gpiozero import DigitalOutputDevice

from edgecnn_runtime import Classifier, Smoothing, stream


def main() -> None:
    """Run until the source ends or the program is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source", help="a camera's number, /dev/video0, rtsp://…, or a video file to try it on")
    parser.add_argument("--reject", required=True, help="the label that opens the gate")
    parser.add_argument("--pin", type=int, required=True, help="the GPIO number of the gate")
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--min-count", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--hold", type=float, default=0.2, help="seconds that the gate stays open after the part")
    options = parser.parse_args()

    classifier = Classifier.open(options.model)
    if options.reject not in classifier.labels:
        parser.error(f"--reject: expected one of {', '.join(classifier.labels)}, got {options.reject}")
    smoothing = Smoothing(options.window, options.min_count, options.threshold, options.hold)
    source = int(options.source) if options.source.isdigit() else options.source

    # What systemd and Ctrl-C send ends the loop below, and so closes the gate.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with DigitalOutputDevice(options.pin) as gate:
        try:
            for result in stream(classifier, source, smoothing):
                for event in result.events:
                    print(event.text, file=sys.stderr, flush=True)
                if result.changed:
                    gate.value = result.label == options.reject
                    print(f"{result.label or 'nothing known'}: gate {'open' if gate.value else 'closed'}", flush=True)
        finally:
            gate.off()


main()
