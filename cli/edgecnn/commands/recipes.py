"""`edgecnn recipes`: what can be trained."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_training.recipe import Recipe


def recipes(
    pattern: Annotated[str, typer.Argument(help="Names to show, such as 'mnist*'.")] = "*",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the classifiers that can be trained.

    Those for your own images come first, then those of the notebooks.

    With --json also the parameters, the trainable ones and the multiply-accumulates of one image, counted at the input
    shape and the number of classes given there.
    """
    from edgecnn_training.recipes import list_recipes

    console = Console(json=json, quiet=quiet)
    found = list_recipes(pattern)
    console.table(
        ("recipe", "data", "input", "epochs", "batch", "optimizer", "summary"),
        [
            (
                recipe.name,
                recipe.data or "yours",
                "x".join(map(str, recipe.input_shape)),
                str(recipe.settings.epochs),
                str(recipe.settings.batch_size),
                f"{recipe.settings.optimizer} {recipe.settings.learning_rate:g}",
                recipe.summary + (" (--alpha)" if recipe.build_at else ""),
            )
            for recipe in found
        ],
    )
    console.say("", "Train one: edgecnn train mnist; on your images: edgecnn train small-cnn --data FOLDER")
    if json:
        sizes = _sizes(found)
        console.document(
            [
                {
                    "name": recipe.name,
                    "summary": recipe.summary,
                    "data": recipe.data,
                    "input_shape": list(recipe.input_shape),
                    "any_size": recipe.any_size,
                    "takes_alpha": recipe.build_at is not None,
                    "classes": recipe.classes,
                    **size,
                    "base": recipe.base,
                    "scaling": recipe.scaling,
                    "augmentation": dataclasses.asdict(recipe.augmentation),
                    "settings": dataclasses.asdict(recipe.settings),
                }
                for recipe, size in zip(found, sizes, strict=True)
            ]
        )


def _sizes(found: "tuple[Recipe, ...]") -> list[dict[str, Any]]:
    """Build the networks, which loads Keras, and count them."""
    from edgecnn.commands.train import loading_training

    with loading_training("edgecnn recipes --json"):
        import keras

        from edgecnn_training.networks.network import build_network
        from edgecnn_training.networks.network_size import size_of

        return [dataclasses.asdict(size_of(build_network(keras, recipe, recipe.classes))) for recipe in found]
