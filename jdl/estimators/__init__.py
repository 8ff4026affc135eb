"""Networks as scikit-learn's estimators."""

from jdl.estimators.classifier import Classifier
from jdl.estimators.regressor import Regressor
from jdl.estimators.transformer import Transformer

__all__ = ["Classifier", "Regressor", "Transformer"]
