"""The search for the arguments of a strategy: trials that are compared with retraining, or with held-out data."""
