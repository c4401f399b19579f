"""Laws of jackknife statistics under a working model of the clusters' shocks."""
