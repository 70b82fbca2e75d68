import json
import time

from xmc_keras.training.phase_seconds import PhaseSeconds


def test_adds_up_over_restarts(tmp_path):
    path = tmp_path / "phases.json"
    for _ in range(2):
        phases = PhaseSeconds(path)
        with phases("search"):
            time.sleep(0.02)
        with phases("epochs"):
            pass
    seconds = json.loads(path.read_text())
    assert seconds == phases.seconds
    assert 0.04 <= seconds["search"] < 2 and seconds["epochs"] < 1
    assert {p.name for p in tmp_path.iterdir()} == {"phases.json", "digests.json"}
    phases.remove()
    assert not path.exists()
