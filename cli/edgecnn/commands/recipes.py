"""`edgecnn recipes`: what can be trained."""

import dataclasses

from edgecnn.console import Console, JsonOption, QuietOption


def recipes(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show the documented classifiers."""
    from edgecnn_training.recipes import list_recipes

    console = Console(json=json, quiet=quiet)
    known = list_recipes()
    console.table(
        ("recipe", "data", "input", "epochs", "batch", "optimizer", "summary"),
        [
            (
                recipe.name,
                recipe.data or "your own",
                "x".join(map(str, recipe.input_shape)),
                str(recipe.settings.epochs),
                str(recipe.settings.batch_size),
                f"{recipe.settings.optimizer} {recipe.settings.learning_rate:g}",
                recipe.summary,
            )
            for recipe in known
        ],
    )
    console.say("\nTrain one: edgecnn train mnist; on images of your own: edgecnn train small-cnn --data FOLDER")
    console.document(
        [
            {
                "name": recipe.name,
                "summary": recipe.summary,
                "data": recipe.data,
                "input_shape": list(recipe.input_shape),
                "any_size": recipe.any_size,
                "base": recipe.base,
                "scaling": recipe.scaling,
                "augmentation": dataclasses.asdict(recipe.augmentation) if recipe.augmentation else None,
                "settings": dataclasses.asdict(recipe.settings),
            }
            for recipe in known
        ]
    )
