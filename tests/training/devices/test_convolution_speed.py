from edgecnn_training.devices.convolution_speed import MACS, ConvolutionSpeed, measure_convolution


def test_the_cpu_is_measured_first() -> None:
    speeds = measure_convolution()
    assert speeds[0].device == "cpu:0"
    assert all(speed.seconds > 0 for speed in speeds)


def test_operations_are_those_of_the_notebooks_convolution() -> None:
    # 94 x 94 positions, 100 images, 32 filters of 147 weights.
    assert MACS == 94 * 94 * 100 * 32 * 147
    assert ConvolutionSpeed("cpu:0", seconds=2 * MACS * 10 / 1e9).gflops == 1.0
