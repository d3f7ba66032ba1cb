"""Published data sets and weights: fetched, verified, unpacked and put in their place."""
