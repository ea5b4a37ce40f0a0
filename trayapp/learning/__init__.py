"""Teaches and brings in models; needs the `fastai` extra, and nothing else may import it."""
