"""The widest network within a number of parameters."""

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.width import channels, parse_parameters
from edgecnn_training.parameter_budget import widest_within
from edgecnn_training.recipes import get_recipe


def counted(alpha: float, classes: int) -> int:
    """Count the parameters of small-cnn on grey images."""
    a, b, c, d = (channels(filters, alpha) for filters in (16, 32, 64, 128))
    return 9 * (a + a * b + b * c + c * d) + 4 * (a + b + c + d) + (d + 1) * classes


@pytest.mark.parametrize(("parameters", "classes"), [(743, 3), (97_978, 2)])
def test_the_largest_width_is_chosen_of_all(parameters: int, classes: int) -> None:
    fitting = [alpha for alpha in (number / 100 for number in range(5, 1001)) if counted(alpha, classes) <= parameters]
    recipe, count = widest_within(get_recipe("small-cnn@0.7"), parameters, classes=classes, shape=(24, 24, 1))
    assert (recipe.alpha, count) == (max(fitting), counted(max(fitting), classes))


def test_with_imagenet_weights_the_width_has_some() -> None:
    recipe = get_recipe("transfer:MobileNet")
    wide, count = widest_within(recipe, 1_000_000, classes=3, shape=(32, 32, 3), weights="imagenet")
    assert (wide.name, wide.alpha, count < 1_000_000) == ("transfer:MobileNet@0.5", 0.5, True)


@pytest.mark.parametrize("parameters", [0, 100])
def test_too_few_parameters(parameters: int) -> None:
    with pytest.raises(
        InputError, match=f"params: expected at least 719, .* 3 classes .*, got {parameters}; give more"
    ):
        widest_within(get_recipe("small-cnn"), parameters, classes=3, shape=(24, 24, 1))


@pytest.mark.parametrize(
    ("text", "number"),
    [("30k", 30_000), ("30000", 30_000), ("30,000", 30_000), ("0.1M", 100_000), (".5m", 500_000), ("12.5K", 12_500)],
)
def test_a_number_of_parameters_is_read(text: str, number: int) -> None:
    assert parse_parameters(text) == number


@pytest.mark.parametrize("text", ["", "k", "many", "-3", "1e5", "30kB", "nan", "9" * 400])
def test_what_is_no_number_of_parameters(text: str) -> None:
    with pytest.raises(InputError, match="params: expected a number of parameters such as 30k"):
        parse_parameters(text)
