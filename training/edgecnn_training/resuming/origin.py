"""What a run was started with, by which a resumed run must go on."""

import dataclasses
from dataclasses import dataclass
from typing import Self

from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.workstation.run_folder import RunRecord
from edgecnn_training.settings import TrainingSettings


@dataclass(frozen=True)
class RunOrigin:
    """The recipe, the data and the settings of a run."""

    recipe: str
    data_folder: str
    data_fingerprint: str
    settings: TrainingSettings
    teacher_fingerprint: str | None = None  # of the teacher's file; None without a teacher

    def differences(self, other: "RunOrigin") -> list[str]:
        """Name what `other` has differently, as in "epochs 12 instead of 10"."""
        pairs = [("recipe", self.recipe, other.recipe)]
        if self.data_fingerprint != other.data_fingerprint:
            mine, theirs = self.data_fingerprint[:12], other.data_fingerprint[:12]
            pairs.append(("data", f"{self.data_folder} ({mine}…)", f"{other.data_folder} ({theirs}…)"))
        if self.settings.teacher == other.settings.teacher and self.teacher_fingerprint != other.teacher_fingerprint:
            pairs.append(("teacher", f"{self.settings.teacher} as it was", f"{other.settings.teacher} trained anew"))
        for field in dataclasses.fields(TrainingSettings):
            # The threads and the device move the last bits only, which matter to a deterministic run alone.
            if field.name not in ("threads", "device") or self.settings.deterministic:
                name = field.name.replace("_", " ")
                pairs.append((name, getattr(self.settings, field.name), getattr(other.settings, field.name)))
        return [f"{name} {theirs} instead of {mine}" for name, mine, theirs in pairs if mine != theirs]

    @classmethod
    def from_record(cls, record: RunRecord) -> Self:
        """Read the origin of a finished run; ValueError where its recipe is incomplete."""
        return cls(
            recipe=str(record.recipe.get("name")),
            data_folder=record.data_folder,
            data_fingerprint=record.data_fingerprint,
            settings=read_dataclass(TrainingSettings, record.recipe, name="recipe"),
            teacher_fingerprint=record.recipe.get("teacher_fingerprint"),
        )
