"""`tidepool train`: models learnt from a dataset."""
