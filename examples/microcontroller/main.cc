// Classify images with the C++ array that `edgecnn export RUN --c-source` writes, in TFLite-Micro.
//
// Here the images come from standard input and the labels go to standard output, so that it runs on a PC before it
// runs on a chip; on a device `read_camera` and `std::printf` are what you replace. With runs/mnist as the run:
//
//   g++ -std=c++17 -DMODEL_HEADER='"mnist_model_data.h"' -DMODEL=mnist_model -I runs/mnist/export -I tflite-micro
//       examples/microcontroller/main.cc runs/mnist/export/mnist_model_data.cc libtensorflow-microlite.a
//   ./a.out < images       # kHeight x kWidth x kChannels bytes each, one after the other
//
// Without TFLite-Micro's headers it compiles as well, and shows what the generated files hold.

#include <cstdio>

#include MODEL_HEADER

namespace model = MODEL;

// The header knows the arena's size where tflite-micro was installed at the export; else give one, -DARENA_SIZE=100000.
#ifndef ARENA_SIZE
#define ARENA_SIZE model::kArenaSize
#endif

#if __has_include("tensorflow/lite/micro/micro_interpreter.h")

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

alignas(16) static uint8_t arena[ARENA_SIZE];
static uint8_t pixels[model::kInputSize];

// Yours: fill model::kHeight rows of model::kWidth pixels, red, green, blue or grey; false: there are no more.
static bool read_camera(uint8_t* image) {
  return std::fread(image, 1, model::kInputSize, stdin) == model::kInputSize;
}

int main() {
  tflite::MicroMutableOpResolver<model::kOperatorCount> operators;
  if (!model::AddOperators(operators)) return 1;
  tflite::MicroInterpreter interpreter(tflite::GetModel(model::kData), operators, arena, sizeof arena);
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;
  auto* input = interpreter.typed_input_tensor<model::Input>(0);
  auto* output = interpreter.typed_output_tensor<model::Output>(0);

  // Does this chip compute what the workstation computed?
  for (int image = 0; image < model::kGoldenImages; ++image) {
    model::WriteGoldenInput(image, input);
    if (interpreter.Invoke() != kTfLiteOk || !model::GoldenOutputMatches(image, output)) {
      std::printf("golden image %d: other probabilities than the workstation's\n", image);
      return 1;
    }
  }
  while (read_camera(pixels)) {
    for (size_t i = 0; i < model::kInputSize; ++i) input[i] = model::FromPixel(pixels[i]);
    if (interpreter.Invoke() != kTfLiteOk) return 1;
    const int best = model::Best(output);
    std::printf("%s %.4f\n", model::kLabels[best], static_cast<double>(model::Probability(output[best])));
  }
}

#else

int main() {
  std::printf("network: %zu bytes, %u operators\n", model::kDataSize, model::kOperatorCount);
  std::printf("input: %d x %d x %d, scale %g, zero point %d\n", model::kHeight, model::kWidth, model::kChannels,
              static_cast<double>(model::kInputScale), model::kInputZeroPoint);
  std::printf("output: %d classes, scale %g, zero point %d\n", model::kClasses,
              static_cast<double>(model::kOutputScale), model::kOutputZeroPoint);
  for (int label = 0; label < model::kClasses; ++label) std::printf("%d: %s\n", label, model::kLabels[label]);
}

#endif
