"""The stages of a run: the head on the frozen base first, then the top of the base with it.

The notebook "Chinese MNIST" calls the second one fine tuning.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_training.history import Epoch, best_epoch
from edgecnn_training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Epochs in which the same part of the network learns; a network without a base has one such stage."""

    number: int  # 1 or 2
    epochs: int  # at most
    learning_rate: float  # that the schedule starts from
    unfreeze: int  # layers at the top of the frozen base that learn too

    @property
    def rate_option(self) -> str:
        """The option of the command line that sets the learning rate."""
        return "--learning-rate" if self.number == 1 else "--fine-tune-rate"

    @property
    def epochs_option(self) -> str:
        """The option of the command line that sets the epochs."""
        return "--epochs" if self.number == 1 else "--fine-tune-epochs"

    def is_over(self, history: Sequence[Epoch], settings: TrainingSettings) -> bool:
        """Whether all epochs are done, or the best one of this stage lies so far back that it ends early."""
        done = [epoch for epoch in history if epoch.stage == self.number]
        if len(done) >= self.epochs:
            return True
        if not settings.patience or not done:
            return False
        return done[-1].epoch - best_epoch(done, settings.monitor).epoch >= settings.patience


def stages_of(settings: TrainingSettings) -> tuple[Stage, ...]:
    """Return the stages of a run, in order.

    >>> from edgecnn_training.settings import Optimizer, TrainingSettings
    >>> settings = TrainingSettings(epochs=9, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.001, unfreeze=20)
    >>> [(stage.epochs, stage.learning_rate) for stage in stages_of(settings)]
    [(9, 0.001), (10, 1e-05)]
    """
    first = Stage(number=1, epochs=settings.epochs, learning_rate=settings.learning_rate, unfreeze=0)
    if not settings.unfreeze:
        return (first,)
    return first, Stage(
        number=2,
        epochs=settings.fine_tune_epochs,
        learning_rate=settings.fine_tune_rate,
        unfreeze=settings.unfreeze,
    )
