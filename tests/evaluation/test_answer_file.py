import os

import pytest

from xmc_keras.evaluation.answer_file import AnswerFile


@pytest.mark.parametrize("is_share", [False, True])
def test_killed_before_the_first_answer_that_replaces_others(tmp_path, is_share):
    """The file of other settings is not taken for the finished one."""
    path = tmp_path / "found.jsonl"
    with AnswerFile(path, {"k": 3}, is_share=is_share) as file:
        file.write(["three"])
        file.finish()
    killed = AnswerFile(path, {"k": 4}, overwrite=True, is_share=is_share)
    killed._close()  # not left as a context, as when it is killed
    assert path.read_text() == "three\n"
    with AnswerFile(path, {"k": 4}, resume=True, is_share=is_share) as file:
        assert not file.finished
        file.write(["four"])
        file.finish()
    assert path.read_text() == "four\n"
    left = ["found.jsonl", *["found.jsonl.settings.json"] * is_share]
    assert sorted(os.listdir(tmp_path)) == left
    with AnswerFile(path, {"k": 4}, resume=True, is_share=is_share) as file:
        assert file.finished
