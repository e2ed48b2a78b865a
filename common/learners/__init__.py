"""Training loops: fastai's, taught to speak dicts."""
