"""The finished runs of a study, for its report."""

from collections.abc import Mapping
from dataclasses import dataclass

from pairgen.pairs.dataset import PairDataset
from pairgen.studies.running.plan import Setting, Variant
from pairgen.studies.running.workspace import Finished


@dataclass(frozen=True)
class Results:
    """What a study has trained."""

    setting: Setting
    datasets: Mapping[str, PairDataset]
    starts: Mapping[tuple[str, int], str]
    """The starting model, by the dataset that it was fine-tuned on and the seed."""
    variants: list[Variant]
    runs: Mapping[tuple[str, str], list[Finished]]
    """By data and name of the variant, the runs at its learning rate, one per seed."""
    tried: Mapping[tuple[str, str], list[Finished]]
    """By data and name of the variant, the runs of the first seed, one per learning rate tried."""

    def of(self, name: str, data: str = "low") -> list[Finished]:
        """The runs of a variant, one per seed."""
        return self.runs[data, name]

    def all_runs(self) -> list[Finished]:
        """Every run that the report is made of, those at other learning rates included."""
        found = [run for by_key in (self.runs, self.tried) for runs in by_key.values() for run in runs]
        return list({run.folder: run for run in found}.values())
