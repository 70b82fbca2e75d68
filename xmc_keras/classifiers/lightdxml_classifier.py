"""LightDXML with the interface of scikit-learn."""

from xmc_keras.classifiers.text_classifier import TextClassifier


class LightDXMLClassifier(TextClassifier):
    """A LightDXML classifier of texts over words: minutes on a CPU, any language.

    The parameters are keys of a config, which `describe_config()` explains. `"auto"` is
    the value of `recipe`, or what `choose_config` chooses for the texts: with `verbose`
    it is printed with its reasons. After `fit` the model is used as any estimator of
    scikit-learn, in a `Pipeline` or a `GridSearchCV`, and can be pickled. Instead of
    texts it may have a sparse matrix of features, with rows of norm 1.

    Args:
        encoder: string. `"words"`, or the name of a transformer. Defaults to `"auto"`,
            words.
        embedding_dim: int. Width of a word embedding.
        max_ngram: int. Words in an n-gram, at most.
        char_ngrams: list of two ints or None. Characters in an n-gram.
        max_features: int or None. The most frequent n-grams that are kept.
        min_documents: int or None. Texts that an n-gram has to be in.
        feature_dropout: float. Dropout of the feature of a text.
        label_words: int. Words of a label's texts that speak for it.
        linear: bool. Whether a linear model is joined to the classifier.
        linear_c: float or None. Weight of its loss.
        epochs: int. Passes over the texts; the best one is kept.
        patience: int or None. Epochs without a better one before training ends.
        batch_size: int. Texts per step.
        learning_rate: float. Rate of the words.
        head_learning_rate: float. Rate of the labels.
        precision: string: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        num_predictions: int. Labels that are ranked per text.
        recipe: optional string or path. A recipe whose values `"auto"` stands for.
        settings: optional dictionary. Further keys of a config and their values.
        classes: optional sequence of labels, see `read_labels`.
        warm_start: bool. Whether `fit` goes on from the model of the `fit` before, see
            there. Defaults to `False`.
        random_state: int, `RandomState` or None. Two trainings with the same integer
            are equal. Defaults to `0`.
        verbose: bool. Whether to show what is chosen, and progress. Defaults to `True`.

    Attributes:
        model_: the `LightDXML`, a `keras.Model`.
        classes_: array of labels (labels,), strings or integers.
        config_: the `Config` that it was trained by.
        history_: list of dictionaries, one per epoch.
        metrics_: dictionary, see `FitResult`, of the validation documents.

    Example:

    >>> texts = ["a puzzle game", "a game of cards", "a text editor"] * 10
    >>> labels = [["game"], ["game"], ["editor"]] * 10
    >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels)
    >>> model.predict(["an editor"], k=1)
    [['editor']]
    >>> model.predict_proba(["an editor"]).shape, model.classes_.tolist()
    ((1, 2), ['editor', 'game'])

    Reference: LightDXML (https://arxiv.org/abs/2304.11045).
    """

    system = "lightdxml"

    def __init__(
        self,
        encoder="auto",
        *,
        embedding_dim="auto",
        max_ngram="auto",
        char_ngrams="auto",
        max_features="auto",
        min_documents="auto",
        feature_dropout="auto",
        label_words="auto",
        linear="auto",
        linear_c="auto",
        epochs="auto",
        patience="auto",
        batch_size="auto",
        learning_rate="auto",
        head_learning_rate="auto",
        precision="auto",
        num_predictions="auto",
        recipe=None,
        settings=None,
        classes=None,
        warm_start=False,
        random_state=0,
        verbose=True,
    ):
        self.encoder = encoder
        self.embedding_dim = embedding_dim
        self.max_ngram = max_ngram
        self.char_ngrams = char_ngrams
        self.max_features = max_features
        self.min_documents = min_documents
        self.feature_dropout = feature_dropout
        self.label_words = label_words
        self.linear = linear
        self.linear_c = linear_c
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.head_learning_rate = head_learning_rate
        self.precision = precision
        self.num_predictions = num_predictions
        self.recipe = recipe
        self.settings = settings
        self.classes = classes
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
