"""How systems and peers are trained, exported and measured on a data folder.

    defaults   `xmc fit FOLDER`, no recipe and no key but the seed
    lightxml   LightXML with MiniLM, in --minutes; see `lightxml_in_time`
    defaults:KEY=VALUE, lightxml:KEY=VALUE   the same with a key, or several, each
               after a colon
    RECIPE     any other recipe, by name or path, on this data
    ensemble   the systems named before it, of the same seed, as one: `xmc ensemble`
               with equal weights

Bad lines of the data are skipped for all, peers too. Labels of test documents that
training never saw count as relevant and cannot be predicted.
"""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from benchmarks.comparison.lightxml_in_time import RECIPE, choose_settings
from benchmarks.comparison.measure import Steps
from benchmarks.shared.circumstances import circumstances
from xmc_keras.config.config_file import load_config
from xmc_keras.config.recipes import find_recipe
from xmc_keras.files.bad_input import BadInput

DEFAULTS, LIGHTXML, ENSEMBLE = "defaults", "lightxml", "ensemble"
# The constants of the propensities are the same for all; peers have the defaults.
PROPENSITY = ["propensity_a=0.55", "propensity_b=1.5"]
XMC = [sys.executable, "-m", "xmc_keras.cli.program"]
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scipy", "scikit-learn")
FLOAT16 = ["--precision", "float16", "--encoder-precision", "float16"]


@dataclasses.dataclass
class System:
    """A way to train.

    Args:
        name: string. It names the system in results and folders.
        recipe: optional path of a recipe.
        settings: list of strings `"key=value"`.
        members: list of the names of the systems of an ensemble.
    """

    name: str
    recipe: Path | None = None
    settings: list = dataclasses.field(default_factory=list)
    members: list = dataclasses.field(default_factory=list)


def parse_systems(words):
    """Makes the `System`s of the words of `--systems`."""
    found = []
    for word in words:
        if word == ENSEMBLE:
            members = [system.name for system in found if not system.members]
            if len(members) < 2:
                raise BadInput(
                    "Expected two systems or more before ensemble in --systems. "
                    f"Received: {', '.join(words)}."
                )
            found.append(
                System(f"{ENSEMBLE} of {' and '.join(members)}", members=members)
            )
        elif word.partition(":")[0] in (DEFAULTS, LIGHTXML):
            name, *settings = word.split(":")
            found.append(System(" ".join([name, *settings]), settings=settings))
        else:
            load_config(word)
            path = find_recipe(word).resolve()
            found.append(System(path.stem, path))
    return found


class Comparison:
    """Measures systems and peers on data sets.

    Args:
        runs: path. Folder of the runs, in folders by data, system and seed.
        minutes: float. Time for a training of `lightxml`.
        peers_python: string. The Python that has the packages of the peers.
    """

    def __init__(self, runs, minutes, peers_python):
        self.runs = Path(runs).resolve()
        self.minutes, self.peers_python = minutes, peers_python

    def place(self, data, name, seed):
        return self.runs / data.folder.name / f"{name}-{seed}".replace(" ", "_")

    def steps(self, data, name, seed):
        place = self.place(data, name, seed)
        names = {
            sys.executable: "python",
            self.peers_python: ".peers/bin/python",
            str(data.folder): "FOLDER",
            f"data={data.folder}": "data=FOLDER",
            str(place / "run"): "RUN",
            str(place / "ensemble"): "OUT",
            str(place / "export"): "EXPORT",
        }
        return Steps(place, names, data.about["digest"])

    def measure_peer(self, data, peer, seed):
        """The record of a peer."""
        module = [self.peers_python, "-m", "benchmarks.comparison.peers"]
        command = [*module, str(data.folder), "--peer", peer, "--seed", str(seed)]
        done = self.steps(data, peer, seed)("peer", command)
        figures = json.loads(done.pop("stdout"))
        return {"kind": "peer", **figures, "process": process_of(done), **origin(done)}

    def measure_system(self, data, system, seed):
        """The record of a system."""
        if system.members:
            return self.measure_ensemble(data, system, seed)
        steps = self.steps(data, system.name, seed)
        settings = [f"seed={seed}", *system.settings]
        config, added = system.recipe, []
        if system.name.partition(" ")[0] == LIGHTXML:
            config = find_recipe(RECIPE)
            chosen = self.choose_lightxml(data)
            settings = chosen["settings"] + settings
            added = [("choosing settings", chosen["seconds"])]
        if config is None:
            words = [str(data.folder)]
        else:
            words = [str(config), "--data", str(data.folder)]
            settings += PROPENSITY
            steps.names[str(config)] = config.stem
        run = steps.folder / "run"
        words += ["--run", str(run), "--skip-bad-lines"]
        words += [word for setting in settings for word in ("--set", setting)]
        done = steps("fit", [*XMC, "fit", *words], makes="run")
        metrics = read_json(run / "metrics.json")
        record = {"kind": "system", "metrics": quality(metrics)}
        record["baselines"] = {
            name: quality(found) for name, found in metrics["baselines"].items()
        }
        phases = phases_of(metrics)
        record["phase_seconds"] = {**dict(added), **phases}
        record["training_seconds"] = round(sum(phases.values()), 1)
        record |= self.measure_export(data, steps, [run])
        record |= {"process": process_of(done), **origin(done)}
        return record | {"versions": circumstances(PACKAGES)["versions"]}

    def measure_ensemble(self, data, system, seed):
        """The record of an ensemble of runs that are there."""
        steps = self.steps(data, system.name, seed)
        members = [self.steps(data, name, seed) for name in system.members]
        runs = [member.folder / "run" for member in members]
        for run in runs:
            if not (run / "metrics.json").exists():
                raise BadInput(
                    "Expected the run of a member of the ensemble. Received: none. "
                    "Measure the member with --again.",
                    run,
                )
        steps.names |= {str(r): f"RUN{i}" for i, r in enumerate(runs, 1)}
        output = steps.folder / "ensemble"
        words = [*map(str, runs), "--output", str(output), "--skip-bad-lines"]
        command = [*XMC, "ensemble", *words, "--data", str(data.folder)]
        done = steps("ensemble", command, makes="ensemble")
        metrics = read_json(output / "metrics.json")
        phases = {
            name: round(sum(phases_of(read_json(run / "metrics.json")).values()), 1)
            for name, run in zip(system.members, runs)
        }
        record = {"kind": "system", "metrics": quality(metrics)}
        record["phase_seconds"] = phases
        record["training_seconds"] = round(sum(phases.values()), 1)
        record |= self.measure_export(data, steps, runs)
        process = process_of(done)
        for member in members:
            fit = process_of(read_json(member.folder / "fit.json"))
            process["peak_gb"] = max(process["peak_gb"], fit["peak_gb"])
            for name in ("seconds", "cpu_seconds"):
                process[name] = round(process[name] + fit[name], 2)
        record |= {"process": process, **origin(done)}
        return record | {"versions": circumstances(PACKAGES)["versions"]}

    def choose_lightxml(self, data):
        """The settings of a LightXML for some minutes, and how long choosing takes."""
        steps = self.steps(data, "plan", round(self.minutes))
        seconds = []

        def measure(settings):
            words = [RECIPE, "--measure", "4", "--json", "--skip-bad-lines"]
            for setting in (f"data={data.folder}", *settings):
                words += ["--set", setting]
            name = "plan-" + "-".join(settings[-2:]).replace("=", "_")
            done = steps(name, [*XMC, "plan", *words])
            seconds.append(done["seconds"])
            return json.loads(done["stdout"])["measured"]["step_s"]

        sizes = data.about["labels"], len(data.test)
        settings = choose_settings(data.train, *sizes, self.minutes, measure)
        return {"settings": settings, "seconds": round(sum(seconds), 1)}

    def measure_export(self, data, steps, runs):
        """Size in float16, and time of a document; deletes the export."""
        place = steps.folder / "export"
        words = [*map(str, runs), str(place), "--data", str(data.folder)]
        steps("export", [*XMC, "export", *words, *FLOAT16], makes="export")
        (version,) = (path for path in place.iterdir() if path.name.isdecimal())
        size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
        module = [sys.executable, "-m", "benchmarks.comparison.document_time"]
        done = steps("time", [*module, str(version), str(data.folder)])
        shutil.rmtree(place)
        return {"model_mb": round(size / 1e6, 3), **json.loads(done["stdout"])}


def quality(metrics):
    """The metrics of `measure_ranking` among those of a run."""
    return {name: round(x, 4) for name, x in metrics.items() if "@" in name}


def read_json(path):
    return json.loads(path.read_text("utf-8"))


def phases_of(metrics):
    """The seconds of the phases of a run."""
    return metrics.get("phase_seconds") or {"training": metrics["train_seconds"]}


def process_of(done):
    return {name: done[name] for name in ("seconds", "cpu_seconds", "peak_gb")}


def origin(done):
    return {name: done[name] for name in ("command", "machine", "commit")}
