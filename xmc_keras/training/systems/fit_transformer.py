"""Training a model on a transformer: LightXML or one-vs-all."""

import logging

import keras

from xmc_keras.data.inputs import build_inputs, build_training_inputs
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightxml.build import build_model
from xmc_keras.one_vs_all.build import build_one_vs_all
from xmc_keras.progress import phase
from xmc_keras.recommending.whole_model import whole_model
from xmc_keras.text.languages import warn_of_language
from xmc_keras.training.loops.fit_epochs import build
from xmc_keras.training.loops.train_lightxml import train_lightxml
from xmc_keras.training.loops.train_one_vs_all import train_one_vs_all
from xmc_keras.training.loops.warm_start import start_lightxml, start_one_vs_all
from xmc_keras.training.systems.join_words import join_words
from xmc_keras.training.task import Trained


def fit_transformer(task, vectorizer, label_rows, label_matrix, clusters=None):
    """Builds and trains the model of a task.

    Args:
        task: a `Task`. Starts its run, if any, unless it is continued.
        vectorizer: see `Trained`.
        label_rows: csr matrix (labels, features), see `label_features`.
        label_matrix: csr matrix (documents, labels) of the documents to train on.
        clusters: optional int array (num_clusters, cluster_size), for LightXML.

    Returns:
        `Trained`.
    """
    config, run, names = task.config, task.run, task.label_set.names
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    logging.getLogger(__name__).info("Loading the encoder %s", config.encoder)
    with phase(f"Loading the encoder {config.encoder}"), task.workers.scope():
        backbone, tokenizer = load_encoder(config.encoder)
    warn_of_language(config.encoder, task.train.texts, tokenizer)
    try:
        with task.workers.scope():
            if clusters is None:
                model = build_one_vs_all(config, backbone, tokenizer, names)
                train, start = train_one_vs_all, start_one_vs_all
            else:
                model = build_model(config, backbone, tokenizer, clusters, names)
                train, start = train_lightxml, start_lightxml
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"This config does not fit its encoder. {error}")
    model.label_set = task.label_set  # with titles
    with task.workers.chief_first():  # its cache may serve the others
        batches = build_training_inputs(
            config, model, task.train.texts, label_matrix, None, task.cache
        )
        batches = batches.with_weights(task.train.weights)
        validation_batches = build_inputs(
            model,
            task.validation.texts,
            task.label_set.encode(task.validation.labels),
            config,
            task.cache,
        )
    if run is not None and not task.continued:
        run.begin(config, task.label_set, clusters, task.everything)
    trained_heads = False
    if task.start_from is not None:
        with phase("Taking the weights of the earlier model"):
            with task.workers.scope():
                build(model, validation_batches)
            trained_heads = start(model, task.start_from)
    history, checkpoint, found = train(
        config,
        model,
        batches,
        validation_batches,
        run,
        task.callbacks,
        task.progress,
        trained_heads,
    )
    trained = Trained(
        model=model,
        checkpoint=checkpoint,
        history=history,
        vectorizer=vectorizer,
        label_features=label_rows,
        found=found,
    )
    if task.workers.strategy is not None and task.chief_cache is None:
        everywhere = not config.shard_labels
        trained.model = whole_model(model, everywhere)
    if config.words and task.workers.is_chief:
        return join_words(task, trained)
    return trained
