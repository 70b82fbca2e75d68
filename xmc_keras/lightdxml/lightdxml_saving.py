"""How a LightDXML becomes a `.keras` file, and comes back."""

from pathlib import Path

import keras

from xmc_keras.labels.label_names_asset import LabelNamesAsset


class LightDXMLSaving(LabelNamesAsset):
    """The part of `LightDXML` that is written: its config, label names and words."""

    def get_config(self):
        config = super().get_config()
        names = "num_labels num_candidates candidates_from max_positives"
        names += " shared_negatives random_negatives max_tokens num_predictions"
        for name in ("encoder", "lexical", "tokenizer"):
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        config["train_encoder"] = self.encoder.trainable
        config["beta"] = self.first_beta
        config["initial_probability"] = self.classifier.initial_probability
        for name in names.split():
            config[name] = getattr(self, name)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("encoder", "lexical", "tokenizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        if not config.pop("train_encoder"):
            # What a frozen encoder holds is made anew as trainable.
            for variable in config["encoder"].weights:
                variable.trainable = False
        return cls(**config)

    # Label names and words are assets of the `.keras` file, beside the weights.

    def save_assets(self, folder):
        super().save_assets(folder)
        if self.vectorizer is not None:
            self.vectorizer.save(Path(folder) / "vectorizer")

    def load_assets(self, folder):
        super().load_assets(folder)
        path = Path(folder) / "vectorizer"
        if path.exists():
            from xmc_keras.text.word_vectorizer import WordVectorizer

            self.vectorizer = WordVectorizer.load(path)
