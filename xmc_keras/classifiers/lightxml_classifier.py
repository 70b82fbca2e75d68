"""LightXML with the interface of scikit-learn."""

from xmc_keras.classifiers.text_classifier import TextClassifier


class LightXMLClassifier(TextClassifier):
    """A LightXML classifier of texts: a transformer, label clusters and a ranker.

    The parameters are keys of a config, which `describe_config()` explains. `"auto"` is
    the value of `recipe`, or what `choose_config` chooses for the texts: with `verbose`
    it is printed with its reasons. After `fit` the model is used as any estimator of
    scikit-learn, in a `Pipeline` or a `GridSearchCV`, and can be pickled.

    Args:
        encoder: string. Name of a transformer. Defaults to `"auto"`, MiniLM.
        max_tokens: int. Tokens that a text is cut to.
        pooling: string, `"cls"` or `"mean"`.
        num_feature_layers: int. Layers whose states are joined.
        feature_dropout: float. Dropout of the feature of a text.
        max_leaf: int. Labels per cluster.
        top_k: int. Clusters whose labels are scored.
        bottleneck_dim: int. Width of a label embedding.
        head_start: string, `"centroids"` or `"random"`.
        words: bool. Whether a model of words is trained, too, and joined, see `Hybrid`.
        epochs: int. Passes over the texts; the best one is kept.
        patience: int or None. Epochs without a better one before training ends.
        batch_size: int. Texts per step.
        learning_rate: float. Rate of the transformer.
        head_learning_rate: float. Rate of clusters and labels.
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
        model_: the `LightXML`, a `keras.Model`.
        classes_: array of labels (labels,), strings or integers.
        clusters_: int array (clusters, cluster size). Places in `classes_`; `-1` pads.
        config_: the `Config` that it was trained by.
        history_: list of dictionaries, one per epoch.
        metrics_: dictionary, see `FitResult`, of the validation documents.

    Example:

    >>> model = LightXMLClassifier("minilm", epochs=4)
    >>> model.get_params()["epochs"]
    4

    Reference: Jiang et al., LightXML (https://arxiv.org/abs/2101.03305).
    """

    system = "lightxml"

    def __init__(
        self,
        encoder="auto",
        *,
        max_tokens="auto",
        pooling="auto",
        num_feature_layers="auto",
        feature_dropout="auto",
        max_leaf="auto",
        top_k="auto",
        bottleneck_dim="auto",
        head_start="auto",
        words="auto",
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
        self.max_tokens = max_tokens
        self.pooling = pooling
        self.num_feature_layers = num_feature_layers
        self.feature_dropout = feature_dropout
        self.max_leaf = max_leaf
        self.top_k = top_k
        self.bottleneck_dim = bottleneck_dim
        self.head_start = head_start
        self.words = words
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

    @property
    def clusters_(self):
        model = getattr(self.model_, "transformer", self.model_)  # of a Hybrid
        return self._columns_of(model.label_clusters.clusters)
