"""Tests of scikit-learn's own suite that fail with our estimators, each with the reason."""

FAILURES: dict[str, str] = {
    "test_fit": "sets single weights by hand",
    "test_lbfgs_regression[X0-y0]": "L-BFGS fits the noise of 200 rows to R² 0.98, AdamW in 200 passes less",
    "test_predict_proba_multilabel": "asks for every label of 50 training rows",
    "test_partial_fit_unseen_classes": "hangs on the random start: two passes over four rows",
    "test_partial_fit_regression": "the learning rate of fit falls, that of passes does not",
    "test_partial_fit_errors": "partial_fit is always there",
    "test_nonfinite_params": "numbers of any size are prepared, and trained on",
    "test_early_stopping_stratified": "with too few rows to hold some out, all are trained on",
    "test_minimum_input_sample_size": "with too few rows to hold some out, all are trained on",
    "test_preserve_feature_names[MLPClassifier]": "has one class, which is an error",
    "test_mlp_partial_fit_after_fit[MLPClassifier]": "partial_fit does without rows held out",
    "test_mlp_partial_fit_after_fit[MLPRegressor]": "partial_fit does without rows held out",
}
