from pathlib import Path

from edgecnn_benchmarks.process.energy import Counter, read_counters, used_uj, why_absent


def powercap(folder: Path, *, energy: int) -> Path:
    """Write the files of a machine with one package and its cores, as Linux lays them out."""
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:1", "psys")):
        (folder / zone).mkdir(parents=True, exist_ok=True)
        (folder / zone / "name").write_text(f"{name}\n")
        (folder / zone / "energy_uj").write_text(f"{energy}\n")
        (folder / zone / "max_energy_range_uj").write_text("1000\n")
    return folder


def test_only_packages_count_and_the_counter_starts_anew(tmp_path: Path) -> None:
    before = read_counters(powercap(tmp_path, energy=900))
    assert before == (Counter(900, 1000),)
    assert used_uj(before, read_counters(powercap(tmp_path, energy=950))) == 50
    assert used_uj(before, read_counters(powercap(tmp_path, energy=100))) == 200
    assert why_absent(tmp_path) is None


def test_absence_has_a_reason(tmp_path: Path) -> None:
    assert used_uj((), ()) is None
    assert "no RAPL counters" in (why_absent(tmp_path / "none") or "")
    (powercap(tmp_path, energy=1) / "intel-rapl:0" / "energy_uj").unlink()  # as unreadable as without the right
    assert read_counters(tmp_path) == ()
    assert "only root may read" in (why_absent(tmp_path) or "")
