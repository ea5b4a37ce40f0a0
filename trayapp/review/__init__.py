"""The review page: what was filed, in the person's own browser. Imported on first use only."""
