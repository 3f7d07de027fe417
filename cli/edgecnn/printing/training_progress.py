"""The progress of a training: a bar or lines with the steps, and a line for each finished epoch or fold."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecnn.console import Advance, Console

if TYPE_CHECKING:
    from edgecnn_training.fit import Progress


@contextlib.contextmanager
def shown_training(console: Console) -> Iterator["Callable[[Progress], None]"]:
    """Show a training: a bar or lines with the steps, and a line with the scores of each finished epoch."""
    with contextlib.ExitStack() as stack:
        advance: Advance | None = None
        first, part = 1, (0, 0)

        def show(progress: "Progress") -> None:
            nonlocal advance, first, part
            if advance is None or (progress.fold, progress.stage) != part:
                # A resumed run does not begin at epoch 1, and its ETA is that of the epochs to come. So is that of
                # another stage, whose steps take another time.
                first, part = progress.epoch, (progress.fold, progress.stage)
                total = (progress.epochs - first + 1) * progress.steps
                stack.close()
                label = "training" if progress.stage == 1 else "fine-tuning"
                if progress.fold:
                    label = f"fold {progress.fold}/{progress.folds}"
                advance = stack.enter_context(console.progress(label, total))
            done = (progress.epoch - first) * progress.steps + progress.step
            advance(done, f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.4f}")
            epoch = progress.finished
            if epoch is not None and progress.fold and epoch.epoch == progress.epochs:
                console.say(
                    f"fold {progress.fold}/{progress.folds}  accuracy {epoch.val_accuracy:.4f} on the images kept back"
                )
            elif epoch is not None and not progress.fold:
                console.say(
                    f"epoch {epoch.epoch:>{len(str(progress.epochs))}}/{progress.epochs}  "
                    f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  "
                    f"val_loss {epoch.val_loss:.4f}  val_accuracy {epoch.val_accuracy:.4f}  {epoch.seconds:.1f} s"
                )

        yield show
