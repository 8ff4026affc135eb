"""What is wrong with a model's folder."""


class ModelError(ValueError):
    """A model that cannot be written, or a folder that is not a whole model.

    The message names the folder and file, what was found, what was needed and what to do.
    """
