"""Classifiers on the Hugging Face hub.

A repository has the files of Keras' own `save_model(model, "hf://owner/name")`, so that
Keras loads the model of it, and besides these `classifier.json` and the model card.
"""

import contextlib
import logging
import tempfile
import zipfile
from pathlib import Path

from xmc_keras.classifiers.classifier_file import MEMBER, write_classifier
from xmc_keras.classifiers.hub_card import HANDLE, write_hub_card
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import REMEDIES, DiskError, explain_disk_errors

logger = logging.getLogger(__name__)

NEEDED = ("config.json", "metadata.json")  # of Keras' format
# What belongs to the model in a repository; a new model replaces all of it.
MODEL_FILES = (*NEEDED, "model.weights.*", "assets/*", MEMBER)
CARD = "README.md"
LOG_IN = "Log in by `hf auth login`, set HF_TOKEN, or pass `token`."
LIBRARY = {"library_name": "xmc_keras"}


def is_handle(path):
    """Whether a path is one of the hub.

    >>> is_handle("hf://owner/name"), is_handle("tagger.keras")
    (True, False)
    """
    return isinstance(path, str) and path.startswith(HANDLE)


def upload_classifier(
    classifier, handle, *, private=None, commit_message=None, token=None, **facts
):
    """Uploads a fitted classifier to the hub, with a model card, in one commit.

    The files of an earlier model and its card are replaced, other files stay.

    Args:
        handle: string, `"hf://owner/name"`. The repository is made if there is none.
        private: optional bool. Whether others must not see it. By default as the hub
            has it: public, or what the organization has set.
        commit_message: optional string.
        token: optional string. By default that of `hf auth login`, or `HF_TOKEN`.
        **facts: see `write_hub_card`.

    Raises:
        BadInput: the hub refuses, or cannot be reached. Nothing is uploaded then; an
            empty repository may have been made.
    """
    from huggingface_hub import (
        CommitOperationAdd,
        CommitOperationDelete,
        HfApi,
        ModelCard,
    )
    from huggingface_hub.utils import filter_repo_objects

    uri = _read_handle(handle)
    if uri.revision or uri.path_in_repo:
        raise BadInput(
            f"Expected hf://owner/name to save to. Received: {handle}.",
            remedy="Leave out what follows the name: the model becomes the last commit "
            "of the main branch.",
        )
    card = write_hub_card(classifier, handle, **facts)
    with tempfile.TemporaryDirectory() as folder:
        path, whole = Path(folder, "model.keras"), Path(folder, "model")
        write_classifier(classifier, path)
        with explain_disk_errors(folder), zipfile.ZipFile(path) as archive:
            archive.extractall(whole)
        files = [file for file in whole.rglob("*") if file.is_file()]
        new = {file.relative_to(whole).as_posix(): file for file in files}
        api = HfApi(token=token, **LIBRARY)
        with explain_hub_errors(handle):
            ModelCard(card).validate()
            api.create_repo(uri.id, private=private, exist_ok=True)
            info = api.model_info(uri.id)
            if private and not info.private:
                raise BadInput(
                    f"Expected a private repository {handle}. Received: a public one, "
                    "which was there before. Make it private in its settings, leave "
                    "`private` out, or choose another name."
                )
            # `upload_folder` may take several commits.
            there = [file.rfilename for file in info.siblings]
            old = set(filter_repo_objects(there, allow_patterns=MODEL_FILES)) - set(new)
            commit = api.create_commit(
                uri.id,
                [
                    *(CommitOperationDelete(name) for name in sorted(old)),
                    *(CommitOperationAdd(name, file) for name, file in new.items()),
                    CommitOperationAdd(CARD, card.encode()),
                ],
                commit_message=commit_message or f"Save {type(classifier).__name__}",
                parent_commit=info.sha,  # refused if another program has committed
            )
    logger.info("Saved to %s", commit.commit_url)


def download_model(handle, token=None):
    """Downloads the files of a model; those that were downloaded before are kept.

    Args:
        handle: string: `"hf://owner/name"`, `"hf://owner/name@revision"` with a branch,
            tag or commit, or the path of a `.keras` file in a repository,
            `"hf://owner/name/tagger.keras"`.
        token: optional string, for a private repository.

    Returns:
        Path of a folder in Keras' format, or of the `.keras` file.

    Raises:
        BadInput: there is no such repository or model in it, or the hub cannot be
            reached.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    uri = _read_handle(handle)
    options = {"revision": uri.revision, "token": token, **LIBRARY}
    with explain_hub_errors(handle):
        if uri.path_in_repo:
            return Path(hf_hub_download(uri.id, uri.path_in_repo, **options))
        patterns = list(MODEL_FILES)
        folder = Path(snapshot_download(uri.id, allow_patterns=patterns, **options))
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise BadInput(
            f"Expected a Keras model in {handle}. Received: a repository without "
            f"{' and '.join(missing)}.",
            remedy="Choose another one; a .keras file in it is loaded by its path, "
            "hf://owner/name/file.keras.",
        )
    return folder


def _read_handle(handle):
    """The `HfUri` of a handle."""
    from huggingface_hub import parse_hf_uri
    from huggingface_hub.errors import HfUriError

    try:
        uri = parse_hf_uri(handle)
        if uri.type == "model":
            return uri
        reason = f"a {uri.type}"
    except HfUriError as error:
        reason = _one_line(str(error).partition("'. ")[2] or error)
    raise BadInput(f"Expected hf://owner/name. Received: {handle} ({reason}).")


@contextlib.contextmanager
def explain_hub_errors(handle):
    """Scope in which errors of the hub, and on the way to it, become `BadInput`."""
    from huggingface_hub import constants, errors

    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # those of the hub, of HTTP and of its upload library
        if isinstance(error, OSError) and error.errno in REMEDIES:
            raise DiskError.of(error, constants.HF_HUB_CACHE) from None
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason, remedy = _reason(error), None
        expected = f"an answer of the hub for {handle}"
        if isinstance(error, errors.GatedRepoError):
            expected, reason = f"access to {handle}", "none yet"
            remedy = f"Ask for it on the page of the repository. {LOG_IN}"
        elif isinstance(error, errors.RepositoryNotFoundError):
            expected, reason = f"a repository {handle}", "none that you can see"
            remedy = f"Correct its name. If it is private: {LOG_IN}"
        elif isinstance(error, errors.RevisionNotFoundError):
            expected, reason = f"a branch, tag or commit in {handle}", "an unknown one"
        elif isinstance(error, errors.RemoteEntryNotFoundError):
            expected, reason = f"the file {handle}", "a repository without it"
        elif status in (401, 403):
            expected = f"the right to write to {handle}"
            remedy = f"{LOG_IN} The token has to be one that may write."
        elif isinstance(error, ValueError) and status is None:
            expected = "a model card that the hub accepts"
            remedy = "Change its license, language, datasets or tags."
        elif status is not None:
            remedy = "Try again."
        else:
            reason = f"no connection ({reason})"
            remedy = "Look at the network, HF_ENDPOINT and HF_HUB_OFFLINE."
        message = f"Expected {expected}. Received: {reason}."
        raise BadInput(message, remedy=remedy) from None


def _reason(error):
    """What an error says, in one line."""
    if said := getattr(error, "server_message", None):
        return _one_line(said)
    while error.__cause__ is not None:  # what the network said
        error = error.__cause__
    return _one_line(error)


def _one_line(text):
    return f"{' '.join(str(text).split()).rstrip('.'):.300}"
